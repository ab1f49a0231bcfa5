"""What is given to MMPose's own inferencers and tools."""

import cv2
import numpy as np
import pytest

from tests.small_model import save_small_model


@pytest.fixture(scope='session')
def trained(tmp_path_factory):
    """Config and checkpoint of a model with one block."""
    return tuple(
        map(str, save_small_model(tmp_path_factory.mktemp('trained'))))


@pytest.fixture
def photo(tmp_path):
    """A picture of noise."""
    image = np.random.default_rng(0).integers(
        256, size=(200, 220, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'photo.png'), image)
    return str(tmp_path / 'photo.png')
