"""Libraries whose models are references of what is loaded."""

import importlib
import sys
from unittest.mock import MagicMock

import pytest

# What timm imports of torchvision, and its models do not use.
TORCHVISION = ('torchvision', 'torchvision.datasets', 'torchvision.models',
               'torchvision.models.feature_extraction', 'torchvision.ops',
               'torchvision.ops.misc', 'torchvision.transforms',
               'torchvision.transforms.functional')


@pytest.fixture(scope='session')
def transformers():
    """Hugging Face transformers."""
    library = importlib.import_module('transformers')
    # Its models are imported when they are asked for.
    for name in ('ViTModel', 'ViTMAEForPreTraining',
                 'Dinov2WithRegistersModel', 'Dinov2Model',
                 'VitPoseForPoseEstimation'):
        getattr(library, name)
    return library


@pytest.fixture(scope='session')
def timm():
    """timm, imported without torchvision."""
    with pytest.MonkeyPatch.context() as patch:
        for name in TORCHVISION:
            patch.setitem(sys.modules, name, MagicMock())
        return importlib.import_module('timm')
