"""What is told where MMPose is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmpose_raf_compat import installation

ROOT = Path(installation.__file__).parents[1]


def test_complete():
    installation.check()


def test_missing(monkeypatch):
    monkeypatch.setattr(installation, 'find_spec', {'mmengine': 1}.get)
    with pytest.raises(ImportError) as error:
        installation.check()
    assert str(error.value).startswith('mmpose_raf needs mmcv and mmpose, ')
    assert '--no-deps mmpose' in str(error.value)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('command', [
    ['-m', 'mmpose_raf', 'train'],
    ['-m', 'mmpose_raf.experiments.worker'],
    ['-c', 'import sys; from mmpose_raf_compat.command import main; '
     'sys.exit(main())'],
], ids=['module', 'worker', 'command'])
def test_commands_where_nothing_is_installed(command):
    """-S: without site-packages."""
    result = subprocess.run([sys.executable, '-S', *command],
                            env=dict(os.environ, PYTHONPATH=str(ROOT)),
                            capture_output=True,
                            text=True)
    assert result.returncode == 2
    line, = result.stderr.splitlines()
    assert line.startswith('error: mmpose_raf needs mmengine and mmcv and '
                           'mmpose, not installed here; to install: pip ')
