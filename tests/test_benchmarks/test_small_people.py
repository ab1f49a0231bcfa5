"""Cameras and people of the benchmarks that train small federations."""

import numpy as np
import pytest
import torch

from benchmarks.personal_models import CAMERAS, Camera
from benchmarks.small_people import LOW, evaluate, load_people


def sample():
    image = np.random.default_rng(0).integers(0, 256, (20, 10, 3), np.uint8)
    return dict(
        img=image.copy(),
        keypoints=np.array([[[2., 5.], [9., 19.]]]),
        bbox=np.array([[1., 2., 7., 15.]])), image


def test_a_camera_upside_down_turns_keypoints_and_box_with_the_image():
    results, image = sample()
    turned = Camera(**CAMERAS['ceiling'][1]).transform(results)
    for (x, y), (new_x, new_y) in zip([(2, 5), (9, 19)],
                                      turned['keypoints'][0].astype(int)):
        assert turned['img'][new_y, new_x].tolist() == image[y, x].tolist()
    left, top, right, bottom = turned['bbox'][0]
    assert (left, top, right, bottom) == (2, 4, 8, 17)
    again = Camera(is_upside_down=True).transform(turned)
    np.testing.assert_array_equal(again['img'], image)
    np.testing.assert_array_equal(again['bbox'], [[1, 2, 7, 15]])


def test_a_camera_of_heat_sees_a_grey_negative():
    results, image = sample()
    seen = Camera(**CAMERAS['heat'][1]).transform(results)['img']
    assert np.array_equal(seen[..., 0], seen[..., 2])
    # ITU-R BT.601, in OpenCV's order of blue, green and red.
    grey = image @ np.array([0.114, 0.587, 0.299])
    assert np.abs(255. - grey - seen[..., 0]).max() <= 1


class Told(torch.nn.Module):
    """Predicts the truth, or a place far away."""

    def __init__(self, shift):
        super().__init__()
        self.shift = shift

    def test_step(self, data):
        for one in data['data_samples']:
            one.pred_instances = one.gt_instances.clone()
            one.pred_instances.keypoints = (
                one.gt_instances.keypoints + self.shift)
        return data['data_samples']


@pytest.mark.parametrize('shift, expected', [(0., 100.), (1e4, 0.)])
def test_perfect_and_lost_predictions(shift, expected):
    people = load_people(3, [LOW])
    assert [len(batch['inputs']) for batch in people[LOW]] == [3]
    assert people[LOW][0]['inputs'][0].shape == (3, *LOW[::-1])
    assert evaluate(Told(shift), people[LOW])['PCK'] == expected
