import numpy as np
import pytest
from mmpose.codecs import MSRAHeatmap, UDPHeatmap

from mmpose_raf.models.heatmap_decoding import (continue_heatmaps,
                                                decode_heatmaps)

SIZE = (24, 32)
CODECS = [
    UDPHeatmap((96, 128), SIZE, sigma=1.5, blur_kernel_size=7),
    MSRAHeatmap((96, 128), SIZE, sigma=1.5, blur_kernel_size=7, unbiased=True)
]


def gaussian(x, y, sigma=1.5, size=SIZE, margin=0):
    at_x = np.arange(-margin, size[0] + margin)
    at_y = np.arange(-margin, size[1] + margin)[:, None]
    return np.exp(-((at_x - x)**2 + (at_y - y)**2) / (2 * sigma**2)).astype(
        np.float32)


@pytest.mark.parametrize('x, y', [(0, 0), (.4, 15), (22.7, 30.2), (23, 31),
                                  (12, 31.9), (-.9, 16), (23.9, -.9)])
def test_gaussians_are_continued(x, y):
    continued = continue_heatmaps(gaussian(x, y)[None], 1.5, 5)
    assert continued.dtype == np.float32
    np.testing.assert_allclose(
        continued[0], gaussian(x, y, margin=5), atol=1e-5)


def test_the_heatmap_itself_is_kept():
    heatmaps = np.random.default_rng(0).normal(size=(3, 32,
                                                     24)).astype(np.float32)
    continued = continue_heatmaps(heatmaps, 2, 4)
    assert continued.shape == (3, 40, 32)
    np.testing.assert_array_equal(continued[:, 4:-4, 4:-4], heatmaps)


def test_noise_does_not_grow_beyond_the_border():
    rng = np.random.default_rng(0)
    heatmaps = rng.normal(scale=.1, size=(9, 32, 24))
    heatmaps[:, :, 1] = heatmaps[:, :, -2] = -1  # as steep as can be
    for sigma in (.5, 1, 2, 3):
        continued = continue_heatmaps(heatmaps, sigma, 7)
        assert np.isfinite(continued).all()
        # exp(1 / (2 sigma^2)) from one border to the peak outside, twice
        limit = heatmaps.max() * np.exp(1 / sigma**2)
        assert continued.max() <= limit * (1 + 1e-6)


@pytest.mark.parametrize('codec', CODECS)
def test_maxima_inside_are_mmposes_to_the_bit(codec):
    rng = np.random.default_rng(0)
    reach = codec.blur_kernel_size // 2 + 2
    centres = rng.uniform(reach + 1, np.array(SIZE) - reach - 2, (40, 2))
    centres[::4] = [2, 2]  # and some that are not inside
    heatmaps = np.stack([gaussian(x, y) for x, y in centres])
    heatmaps += rng.normal(scale=.05, size=heatmaps.shape).astype(np.float32)
    expected, expected_scores = codec.decode(heatmaps)
    keypoints, scores = decode_heatmaps(codec, heatmaps)
    np.testing.assert_array_equal(scores, expected_scores)
    inside = np.arange(40) % 4 > 0
    np.testing.assert_array_equal(keypoints[:, inside], expected[:, inside])
    assert (keypoints[:, ~inside] != expected[:, ~inside]).all()


@pytest.mark.parametrize('codec', CODECS)
@pytest.mark.parametrize('num_keypoints', [1, 7])
def test_maxima_at_the_border_are_nearer_than_mmposes(codec, num_keypoints):
    rng = np.random.default_rng(0)
    ours, theirs = [], []
    for _ in range(40):
        centres = rng.uniform(0, np.array(SIZE) - 1, (num_keypoints, 2))
        centres[:, 0] = abs(
            rng.choice([0, 23], num_keypoints) -
            rng.uniform(0, 2, num_keypoints))
        # not quite as wide and high as the targets, and noisy
        heatmaps = np.stack([.6 * gaussian(x, y, 1.7) for x, y in centres])
        heatmaps += rng.normal(
            scale=.02, size=heatmaps.shape).astype(np.float32)
        unit = np.array(codec.input_size) / (
            np.array(SIZE) - isinstance(codec, UDPHeatmap))
        for decode, errors in ((decode_heatmaps, ours), (type(codec).decode,
                                                         theirs)):
            keypoints = decode(codec, heatmaps)[0][0] / unit
            errors.append(abs(keypoints - centres)[:, 0].mean())
    assert np.mean(ours) < .7 * np.mean(theirs)


def test_input_is_left_alone():
    heatmaps = np.stack([gaussian(0, 0), gaussian(12, 16)])
    before = heatmaps.copy()
    decode_heatmaps(CODECS[0], heatmaps)
    np.testing.assert_array_equal(heatmaps, before)


@pytest.mark.parametrize('codec', CODECS)
def test_empty_heatmaps_are_mmposes(codec):
    heatmaps = np.zeros((3, 32, 24), np.float32)
    heatmaps[1] = gaussian(3, 3)
    heatmaps[2] -= 1
    with np.errstate(invalid='ignore'):  # MMPose divides zero by zero
        expected, expected_scores = codec.decode(heatmaps)
        keypoints, scores = decode_heatmaps(codec, heatmaps)
    np.testing.assert_array_equal(keypoints[:, [0, 2]], expected[:, [0, 2]])
    np.testing.assert_array_equal(scores, expected_scores)


def test_biased_msra_is_mmposes():
    codec = MSRAHeatmap((96, 128), SIZE, sigma=1.5)
    rng = np.random.default_rng(0)
    heatmaps = rng.normal(size=(50, 32, 24)).astype(np.float32)
    expected, _ = codec.decode(heatmaps)
    np.testing.assert_array_equal(
        decode_heatmaps(codec, heatmaps)[0], expected)
