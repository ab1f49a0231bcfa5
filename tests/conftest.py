"""What all tests share."""

import importlib.util
import sys
from importlib.metadata import PackageNotFoundError
from unittest.mock import MagicMock

import pytest
import torch
from mmengine.registry import init_default_scope

import mmpose_raf  # noqa: F401  closes gaps before any test imports mmpose

# What mmpretrain imports, but its VisionTransformer does not use. Installed
# they would cost much: a torchvision that fits torch, a top-level package
# called `tests`.
UNUSED = ('einops', 'modelindex', 'modelindex.load_model_index',
          'modelindex.models', 'modelindex.models.Model',
          'modelindex.models.ModelIndex', 'torchvision', 'torchvision.ops',
          'torchvision.ops.boxes', 'torchvision.transforms',
          'torchvision.transforms.functional',
          'torchvision.transforms.transforms')


def pytest_runtest_setup(item):
    """Skip what is marked ``gpu`` where there is none."""
    if item.get_closest_marker('gpu') and not torch.cuda.is_available():
        pytest.skip('needs a GPU')


@pytest.fixture(autouse=True)
def default_scope():
    """Parts are looked up in MMPose, whatever ran before."""
    init_default_scope('mmpose')


@pytest.fixture(scope='session')
def mmpretrain_vit():
    """mmpretrain's ``VisionTransformer``, ViTPose's backbone in MMPose."""
    # Not importorskip: a stand-in that is missing shall fail, not skip.
    if importlib.util.find_spec('mmpretrain') is None:
        pytest.skip('mmpretrain is not installed')
    with pytest.MonkeyPatch.context() as patch:
        for name in UNUSED:
            patch.setitem(sys.modules, name, MagicMock())
        # By which mmpretrain looks for transformers: its models of language
        # do not import with those of today.
        patch.setitem(
            sys.modules, 'importlib_metadata',
            MagicMock(
                distribution=MagicMock(side_effect=PackageNotFoundError),
                PackageNotFoundError=PackageNotFoundError))
        # It has asked already, if something else imported a part of it.
        from mmpretrain.utils import dependency
        patch.setattr(dependency, 'WITH_MULTIMODAL', False)
        from mmpretrain.models import VisionTransformer
    return VisionTransformer
