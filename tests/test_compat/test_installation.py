"""What is told where MMPose is missing."""

import pytest

from mmpose_raf_compat import installation


def test_complete():
    installation.check()


def test_missing(monkeypatch):
    monkeypatch.setattr(installation, 'find_spec', {'mmengine': 1}.get)
    with pytest.raises(ImportError) as error:
        installation.check()
    assert str(error.value).startswith('mmpose_raf needs mmcv and mmpose, ')
    assert '--no-deps mmpose' in str(error.value)
    assert '\n' not in str(error.value)
