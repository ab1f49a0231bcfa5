"""How the samples of clients are spread, counted by hand."""

import numpy as np
import pytest

from mmpose_raf.datasets.client import Client
from mmpose_raf.datasets.distributions import (keypoint_distributions,
                                               resolution_distributions)
from mmpose_raf.errors import ConfigError


def test_distributions_count_resolutions():
    clients = [
        Client('one', (96, 128)),
        Client('both', (96, 128), ((48, 64), )),
        Client('low', (24, 32))
    ]
    indices = [np.arange(4), np.arange(5), np.arange(2)]
    # Of five samples the higher resolution has the first, third and fifth.
    assert resolution_distributions(clients, indices) == [[1, 0, 0],
                                                          [.6, .4, 0],
                                                          [0, 0, 1]]


class Annotations:
    """A dataset of nothing but visibilities."""

    def __init__(self, *rows):
        self.rows = rows

    def get_data_info(self, index):
        return dict(keypoints_visible=np.array([self.rows[index]], float))


def test_distributions_count_annotated_keypoints():
    dataset = Annotations([1, 0, 1], [2, 0, 0], [0, 1, 1], [0, 0, 0])
    found = keypoint_distributions(
        [dataset] * 3,
        [np.array([0, 1]), np.array([2]),
         np.array([3, 0])])
    np.testing.assert_allclose(
        found, [[2 / 3, 0, 1 / 3], [0, .5, .5], [.5, 0, .5]])
    with pytest.raises(ConfigError, match='no annotated keypoint'):
        keypoint_distributions([dataset], [np.array([3])])
