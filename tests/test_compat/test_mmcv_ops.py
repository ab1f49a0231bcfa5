"""mmcv.ops with and without compiled operators."""

import abc
import importlib
import sys

import pytest
from torch import nn

from mmpose_raf_compat import mmcv_ops

LITE = {
    'mmcv/__init__.py': '',
    'mmcv/ops/__init__.py': 'from mmcv import _ext\nnms = _ext.nms\n',
}
INSTALL = ('pip install "setuptools<81" && '
           'pip install mmcv==2.1.0 --no-build-isolation')


def test_lite(site):
    site(LITE)
    mmcv_ops.close()
    assert 'mmcv' not in sys.modules  # the search imports nothing

    from mmcv.ops import DeformConv2d
    from mmcv.ops.deep.below import RoIAlign
    for name, use in (('mmcv.ops.DeformConv2d', DeformConv2d),
                      ('mmcv.ops.deep.below.RoIAlign', RoIAlign)):
        with pytest.raises(ImportError) as error:
            use(3, 3, kernel_size=3)
        assert str(error.value).startswith(f'{name} needs')
        assert INSTALL in str(error.value)


@pytest.mark.parametrize('problem', [
    'ImportError("undefined symbol: _ZN3c10")',
    'OSError("libcudart.so.11: cannot open shared object file")'
])
def test_full_but_broken(site, problem):
    site({**LITE, 'mmcv/_ext.py': f'raise {problem}'})
    mmcv_ops.close()
    from mmcv.ops import nms
    with pytest.raises(ImportError) as error:
        nms([], [])
    assert problem.split('"')[1] in str(error.value)
    assert INSTALL in str(error.value)


def test_full(site):
    site({**LITE, 'mmcv/_ext.py': 'def nms(): return "real"'})
    mmcv_ops.close()
    from mmcv.ops import nms
    assert nms() == 'real'


def test_no_mmcv(site, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'path', [str(tmp_path)])
    mmcv_ops.close()
    with pytest.raises(ModuleNotFoundError, match="'mmcv'"):
        importlib.import_module('mmcv.ops')


def test_bases(site):
    """Modules that derive from an operator can be imported."""
    site(LITE)
    mmcv_ops.close()
    from mmcv.ops import DeformConv2d, SyncBatchNorm

    class First(DeformConv2d, nn.Module):
        pass

    class Last(nn.Module, DeformConv2d, metaclass=abc.ABCMeta):

        def __init__():
            """Without super(), as the placeholder is met before."""

    for cls in (First, Last):
        with pytest.raises(ImportError, match='^mmcv.ops.DeformConv2d '):
            cls()
    # So do MMEngine's checks for layers of these classes.
    assert not isinstance(nn.Conv2d(1, 1, 1), (First, SyncBatchNorm))


def test_module_and_function_of_one_name(site):
    site(LITE)
    mmcv_ops.close()
    importlib.import_module('mmcv.ops.nms')
    from mmcv.ops import nms
    with pytest.raises(ImportError, match='^mmcv.ops.nms needs'):
        nms([], [])


def test_names(site):
    site(LITE)
    mmcv_ops.close()
    ops = importlib.import_module('mmcv.ops')
    assert ops.RoIAlign is ops.RoIAlign
    assert ops.RoIAlign.__name__ == 'RoIAlign'
    for private in ('__wrapped__', '_private', '__all__'):
        assert not hasattr(ops, private)
