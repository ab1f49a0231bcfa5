"""Crops from what a small camera would have seen."""

import cv2
import numpy as np
import pytest
from mmpose.datasets.transforms import TopdownAffine

from mmpose_raf.datasets import CapturedTopdownAffine


def person(image, centre=(60., 50.), scale=(60., 80.), keypoints=((60, 50), )):
    """What a pipeline knows of a person before the crop."""
    return dict(img=image.copy(),
                bbox_center=np.float32([centre]),
                bbox_scale=np.float32([scale]),
                keypoints=np.float32([keypoints]))


def noise(height=100, width=120):
    return np.random.default_rng(0).integers(
        256, size=(height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize('use_udp', [True, False])
@pytest.mark.parametrize('capture', [(60, 80), (61, 81), (600, 800)])
def test_a_camera_that_is_good_enough_changes_nothing(capture, use_udp):
    image = noise()
    captured = CapturedTopdownAffine((30, 40), capture, use_udp)
    plain = TopdownAffine((30, 40), use_udp)
    for key, value in plain(person(image)).items():
        np.testing.assert_array_equal(captured(person(image))[key], value)


def test_pixels_are_means_of_those_they_replace():
    """The frame is the image, and both ratios are 2: 2x2 blocks."""
    image = noise(80, 60)
    # Without UDP MMPose puts index x of the frame to x w' / w.
    transform = CapturedTopdownAffine((30, 40), (30, 40))
    data = transform(person(image, (29.5 + .5, 39.5 + .5)))
    blocks = image.reshape(40, 2, 30, 2, 3).mean((1, 3))
    # Its centre, index 30, lies at 14.75 among the pixels captured, and at
    # 15 in the crop: a quarter of a pixel further.
    shifted = cv2.warpAffine(np.round(blocks).astype(np.uint8),
                             np.float32([[1, 0, .25], [0, 1, .25]]), (30, 40))
    difference = np.abs(data['img'][2:-2, 2:-2].astype(int) -
                        shifted[2:-2, 2:-2].astype(int))
    assert difference.max() <= 2


@pytest.mark.parametrize('use_udp', [True, False])
@pytest.mark.parametrize('capture', [(15, 20), (23, 31), (40, 53)])
@pytest.mark.parametrize('rotation', [0., 35.])
def test_keypoints_stay_on_what_they_mark(capture, use_udp, rotation):
    """A spot is where the transform says that its keypoint is."""
    place = np.array([66.3, 42.8])
    y, x = np.mgrid[:100, :120]
    spot = 255 * np.exp(-((x - place[0])**2 + (y - place[1])**2) / (2 * 6**2))
    image = np.repeat(spot[..., None], 3, -1).astype(np.uint8)
    data = person(image, keypoints=[place])
    data['bbox_rotation'] = np.float32([rotation])
    data = CapturedTopdownAffine((48, 64), capture, use_udp)(data)
    weights = data['img'][..., 0].astype(float)
    y, x = np.mgrid[:64, :48]
    centroid = np.array([(weights * x).sum(), (weights * y).sum()])
    np.testing.assert_allclose(data['transformed_keypoints'][0, 0],
                               centroid / weights.sum(),
                               atol=.15)


@pytest.mark.parametrize('use_udp', [True, False])
@pytest.mark.parametrize('capture', [(15, 20), (12, 16), (7, 11), (41, 30)])
def test_geometry_is_that_of_the_original_image(capture, use_udp):
    """Metrics and models map predictions back with it."""
    image = noise()
    keypoints = [(60, 50), (33.5, 20.25), (80, 85)]
    plain = TopdownAffine((48, 64), use_udp)(person(image,
                                                    keypoints=keypoints))
    data = CapturedTopdownAffine((48, 64), capture, use_udp)(person(
        image, keypoints=keypoints))
    for key in ('bbox_center', 'bbox_scale', 'keypoints', 'input_size'):
        np.testing.assert_array_equal(data[key], plain[key])
    # As TopdownPoseEstimator does; UDP's codec scales by w / (w - 1) before.
    size = np.array([48, 64]) - int(use_udp)
    found = (data['transformed_keypoints'][0] / size * data['input_scale'] +
             data['input_center'] - 0.5 * data['input_scale'])
    np.testing.assert_allclose(found, keypoints, atol=1e-3)
    assert np.abs(data['img'].astype(int) - plain['img']).mean() > 5


def test_the_side_that_fits_less_tightly_decides():
    """A frame of 60x80 at a capture of (30, 20) keeps its width."""
    detail = np.zeros((100, 120, 3), np.uint8)
    detail[:, ::2] = 255  # columns of one pixel
    at = CapturedTopdownAffine((60, 80), (60, 20), True)
    np.testing.assert_array_equal(
        at(person(detail))['img'],
        TopdownAffine((60, 80), True)(person(detail))['img'])


def test_repr_names_both_sizes():
    text = repr(CapturedTopdownAffine((48, 64), (12, 16), True))
    assert '(48, 64)' in text and '(12, 16)' in text
