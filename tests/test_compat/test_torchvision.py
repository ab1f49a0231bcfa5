"""torchvision working, broken and missing."""

import importlib
import importlib.metadata
import importlib.util
import sys

import pytest
import torch
from mmengine.utils import is_installed

from mmpose_raf_compat import pkg_resources as pkg_resources_gap
from mmpose_raf_compat import torchvision as torchvision_gap


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


@pytest.fixture
def missing(without):
    without('torchvision')
    pkg_resources_gap.close()  # for is_installed
    torchvision_gap.close()


def test_missing(missing):
    check_placeholder('0.0.0+missing')


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


def test_probes(missing):
    """Other libraries see whether it is installed, and not more."""
    installed = any(importlib.metadata.distributions(name='torchvision'))
    assert is_installed('torchvision') == installed
    import torchvision
    assert importlib.util.find_spec('torchvision') is torchvision.__spec__
    assert torchvision.__spec__.origin is None
    assert is_installed('torchvision') == installed
    with pytest.raises(ModuleNotFoundError):
        importlib.util.find_spec('torchvision.ops')
    with pytest.raises(ImportError):
        from torchvision.ops import nms  # noqa: F401
    assert not hasattr(torchvision, '__file__')


def test_weights_of_its_models(missing):
    from mmengine.runner.checkpoint import get_torchvision_models
    with pytest.raises(ImportError, match='torchvision.models needs'):
        get_torchvision_models()
