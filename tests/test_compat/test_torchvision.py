"""torchvision working, broken and missing."""

import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmpose_raf_compat import torchvision as torchvision_gap

ROOT = Path(torchvision_gap.__file__).parents[1]


def test_works(site):
    site({
        'torchvision/__init__.py': '__version__ = "0.99"',
        'torchvision/transforms.py': 'ToPILImage = str',
    })
    torchvision_gap.close()
    from torchvision.transforms import ToPILImage
    assert ToPILImage is str


@pytest.mark.parametrize('problem', [
    'RuntimeError("operator torchvision::nms does not exist")',
    'OSError("_C.so: undefined symbol: _ZN5torch3jit17parseSchema")',
    'ImportError("cannot import name _meta_registrations")',
    'AttributeError("partially initialized module")',
    'ModuleNotFoundError("No module named PIL", name="PIL")',
])
def test_broken(site, problem):
    site({
        'torchvision/__init__.py':
        f'import torchvision.extension\nraise {problem}',
        'torchvision/extension.py': '',
    })
    torchvision_gap.close()
    importlib.import_module('torchvision')
    assert 'torchvision.extension' not in sys.modules
    check_placeholder('0.0.0+broken')
    from torchvision.transforms import ToPILImage
    with pytest.raises(ImportError) as error:
        ToPILImage()
    assert problem.split('"')[1] in str(error.value)
    assert 'pip uninstall -y torchvision && ' in str(error.value)


USER = 'mmpose/visualization/simcc_vis.py'


@pytest.fixture
def missing(site, without):
    without('torchvision')
    for name in list(sys.modules):
        if name.partition('.')[0] == 'mmpose':
            del sys.modules[name]
    site({
        'mmpose/__init__.py': '',
        'mmpose/visualization/__init__.py': '',
        USER: 'from torchvision.transforms import ToPILImage',
    })
    torchvision_gap.close()


def test_missing_and_needed_by_mmpose_alone(missing, monkeypatch):
    monkeypatch.setattr(torchvision_gap, 'find_spec', lambda name: None)
    from mmpose.visualization.simcc_vis import ToPILImage
    with pytest.raises(ImportError) as error:
        ToPILImage()
    assert str(error.value).startswith(
        'torchvision.transforms.ToPILImage needs torchvision, which is not '
        'installed; to install it: pip install torch==')
    # Nobody else is told that there was one.
    assert not [name for name in sys.modules
                if name.partition('.')[0] == 'torchvision']


def check_placeholder(version):
    import torchvision
    from torchvision.transforms import ToPILImage
    assert torchvision.__version__ == version
    transforms = sys.modules['torchvision.transforms']
    install = (f'pip install torch=={torch.__version__.split("+")[0]} '
               'torchvision')
    for name, use in {
            'torchvision.transforms.ToPILImage': ToPILImage,
            'torchvision.models': lambda: torchvision.models,
            'torchvision.transforms.Resize': lambda: transforms.Resize,
            'torchvision.ops':
            lambda: importlib.import_module('torchvision.ops'),
    }.items():
        with pytest.raises(ImportError) as error:
            use()
        assert str(error.value).startswith(f'{name} needs torchvision')
        assert install in str(error.value)


@pytest.mark.slow
def test_other_libraries_see_that_it_is_missing(fresh_facts):
    if any(importlib.metadata.distributions(name='torchvision')):
        pytest.skip('it is installed')
    assert fresh_facts == dict(
        modules=[], spec=None, error='ModuleNotFoundError', mmengine=False,
        transformers=False)


@pytest.fixture
def fresh_facts():
    """What is found in a process that has imported all of MMPose."""
    code = '''
import importlib.util, json, sys
import mmpose_raf, mmpose.apis, mmpose.visualization
from mmengine.utils import is_installed
from transformers.utils import is_torchvision_available
spec = importlib.util.find_spec('torchvision')
try:
    import torchvision
    error = None
except ImportError as problem:
    error = type(problem).__name__
print(json.dumps(dict(
    modules=[name for name in sys.modules if name.startswith('torchvision')],
    spec=spec and spec.name, error=error,
    mmengine=is_installed('torchvision'),
    transformers=is_torchvision_available())))
'''
    pytest.importorskip('transformers')
    result = subprocess.run([sys.executable, '-c', code],
                            env=dict(os.environ, PYTHONPATH=str(ROOT)),
                            capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])
