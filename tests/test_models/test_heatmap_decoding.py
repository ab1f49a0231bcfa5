import numpy as np
import pytest
import torch
from mmpose.codecs import MSRAHeatmap, UDPHeatmap

from mmpose_raf.models.heatmap_decoding import (decode_heatmaps,
                                                windows_around)

SIZE = (24, 32)
CODECS = [
    UDPHeatmap((96, 128), SIZE, sigma=1.5, blur_kernel_size=7),
    MSRAHeatmap((96, 128), SIZE, sigma=1.5, blur_kernel_size=7, unbiased=True)
]
IDS = ['udp', 'msra']


def gaussian(x, y, sigma=1.5, size=SIZE, margin=0):
    at_x = np.arange(-margin, size[0] + margin)
    at_y = np.arange(-margin, size[1] + margin)[:, None]
    return np.exp(-((at_x - x)**2 + (at_y - y)**2) / (2 * sigma**2)).astype(
        np.float32)


def decode(codec, heatmaps):
    """Keypoints (N, 2) and scores (N, ) of heatmaps (N, H, W)."""
    heatmaps = torch.from_numpy(heatmaps)[None]
    keypoints, scores = decode_heatmaps(codec, heatmaps)
    return keypoints[0].numpy(), scores[0].numpy()


def window(heatmap, peak, sigma, reach):
    """What is around one pixel of one heatmap."""
    return windows_around(
        torch.from_numpy(heatmap)[None, None], torch.tensor([[peak]]),
        torch.tensor(float(sigma)), reach)[0, 0]


# -- windows -----------------------------------------------------------------


@pytest.mark.parametrize('x, y', [(0, 0), (.4, 15), (22.7, 30.2), (23, 31),
                                  (12, 31.9), (-.9, 16), (23.9, -.9)])
def test_gaussians_are_continued(x, y):
    peak = [round(min(max(x, 0), 23)), round(min(max(y, 0), 31))]
    found = window(gaussian(x, y), peak, 1.5, 5)
    whole = gaussian(x, y, margin=5)
    expected = whole[peak[1]:peak[1] + 11, peak[0]:peak[0] + 11]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize('peak', [(0, 0), (5, 9), (23, 31), (22, 4)])
def test_what_is_in_the_heatmap_is_kept(peak):
    heatmap = np.random.default_rng(0).normal(size=(32, 24)).astype(np.float32)
    around = np.pad(heatmap, 4, constant_values=np.nan)[peak[1]:peak[1] + 9,
                                                        peak[0]:peak[0] + 9]
    found = window(heatmap, peak, 2, 4).numpy()
    inside = ~np.isnan(around)
    np.testing.assert_array_equal(found[inside], around[inside])


@pytest.mark.parametrize('sigma', [.5, 1, 2, 3])
def test_noise_does_not_grow_beyond_the_border(sigma):
    rng = np.random.default_rng(0)
    heatmap = rng.normal(scale=.1, size=(32, 24)).astype(np.float32)
    heatmap[:, 1] = heatmap[:, -2] = -1  # as steep as can be
    for peak in ((0, 0), (23, 31), (0, 16), (12, 0)):
        found = window(heatmap, peak, sigma, 7)
        assert found.isfinite().all()
        # exp(1 / (2 sigma^2)) from one border to the peak outside, twice
        limit = heatmap.max() * np.exp(1 / sigma**2)
        assert found.max() <= limit * (1 + 1e-6)


def test_a_heatmap_may_be_smaller_than_its_window():
    small = gaussian(2.2, 1.1, size=(6, 4))
    expected = gaussian(2.2, 1.1, size=(6, 4), margin=7)
    found = window(small, (2, 1), 1.5, 7)
    np.testing.assert_allclose(found, expected[1:16, 2:17], atol=1e-5)


# -- keypoints ---------------------------------------------------------------


@pytest.mark.parametrize('codec', CODECS, ids=IDS)
def test_maxima_inside_are_mmposes(codec):
    rng = np.random.default_rng(0)
    reach = codec.blur_kernel_size // 2 + 2
    centres = rng.uniform(reach + 1, np.array(SIZE) - reach - 2, (40, 2))
    centres[::4] = [2, 2]  # and some that are not inside
    heatmaps = np.stack([gaussian(x, y) for x, y in centres])
    heatmaps += rng.normal(scale=.05, size=heatmaps.shape).astype(np.float32)
    (expected, ), (expected_scores, ) = codec.decode(heatmaps)
    keypoints, scores = decode(codec, heatmaps)
    np.testing.assert_array_equal(scores, expected_scores)
    inside = np.arange(40) % 4 > 0
    np.testing.assert_allclose(keypoints[inside], expected[inside], atol=1e-4)
    assert (abs(keypoints - expected)[~inside] > 1e-3).all()


@pytest.mark.parametrize('codec', CODECS, ids=IDS)
@pytest.mark.parametrize('kernel', [3, 5, 11, 17, 25])
def test_all_kernels_of_the_blur_are_mmposes(codec, kernel):
    size = (64, 60)
    codec = type(codec)((256, 240), size, sigma=2., blur_kernel_size=kernel,
                        **({} if codec is CODECS[0] else dict(unbiased=True)))
    rng = np.random.default_rng(kernel)
    centres = rng.uniform(20, 40, (30, 2))
    heatmaps = np.stack([gaussian(x, y, 2, size) for x, y in centres])
    heatmaps += rng.normal(scale=.03, size=heatmaps.shape).astype(np.float32)
    keypoints, _ = decode(codec, heatmaps)
    np.testing.assert_allclose(
        keypoints, codec.decode(heatmaps)[0][0], atol=2e-4)


@pytest.mark.parametrize('codec', CODECS, ids=IDS)
def test_maxima_at_the_border_are_mmposes_on_a_continued_heatmap(codec):
    """A Gaussian that goes on beyond the border, decoded where it does."""
    margin = 10
    larger = (SIZE[0] + 2 * margin, SIZE[1] + 2 * margin)
    wide = type(codec)((4 * larger[0], 4 * larger[1]), larger, sigma=1.5,
                       blur_kernel_size=7,
                       **({} if codec is CODECS[0] else dict(unbiased=True)))
    rng = np.random.default_rng(0)
    centres = rng.uniform(0, np.array(SIZE) - 1, (40, 2))
    centres[:20, 0], centres[20:, 1] = rng.uniform(0, 2, (2, 20))
    whole = np.stack([gaussian(*c, margin=margin) for c in centres])
    cut = np.ascontiguousarray(whole[:, margin:-margin, margin:-margin])
    unit, wide_unit = [
        np.array(c.input_size) /
        (np.array(c.heatmap_size) - (codec is CODECS[0]))
        for c in (codec, wide)
    ]
    expected = wide.decode(whole)[0][0] / wide_unit - margin
    np.testing.assert_allclose(
        decode(codec, cut)[0] / unit, expected, atol=2e-3)


@pytest.mark.parametrize('codec', CODECS, ids=IDS)
@pytest.mark.parametrize('num_keypoints', [1, 7])
def test_maxima_at_the_border_are_nearer_than_mmposes(codec, num_keypoints):
    rng = np.random.default_rng(0)
    ours, theirs = [], []
    unit = np.array(codec.input_size) / (
        np.array(SIZE) - isinstance(codec, UDPHeatmap))
    for _ in range(40):
        centres = rng.uniform(0, np.array(SIZE) - 1, (num_keypoints, 2))
        centres[:, 0] = abs(
            rng.choice([0, 23], num_keypoints) -
            rng.uniform(0, 2, num_keypoints))
        # not quite as wide and high as the targets, and noisy
        heatmaps = np.stack([.6 * gaussian(x, y, 1.7) for x, y in centres])
        heatmaps += rng.normal(
            scale=.02, size=heatmaps.shape).astype(np.float32)
        for keypoints, errors in ((decode(codec, heatmaps)[0], ours),
                                  (codec.decode(heatmaps)[0][0], theirs)):
            errors.append(abs(keypoints / unit - centres)[:, 0].mean())
    assert np.mean(ours) < .7 * np.mean(theirs)


@pytest.mark.parametrize('codec', CODECS, ids=IDS)
def test_a_batch_is_decoded_as_its_heatmaps_are(codec):
    rng = np.random.default_rng(0)
    heatmaps = torch.from_numpy(
        rng.normal(size=(3, 4, 32, 24)).astype(np.float32))
    keypoints, scores = decode_heatmaps(codec, heatmaps)
    assert keypoints.shape == (3, 4, 2) and scores.shape == (3, 4)
    for sample in range(3):
        for keypoint in range(4):
            part = heatmaps[sample:sample + 1, keypoint:keypoint + 1]
            alone = decode_heatmaps(codec, part)
            torch.testing.assert_close(alone[0][0, 0],
                                       keypoints[sample, keypoint])
            assert alone[1] == scores[sample, keypoint]


def test_input_is_left_alone():
    heatmaps = np.stack([gaussian(0, 0), gaussian(12, 16)])
    before = heatmaps.copy()
    decode(CODECS[0], heatmaps)
    np.testing.assert_array_equal(heatmaps, before)


@pytest.mark.parametrize('codec', CODECS, ids=IDS)
def test_heatmaps_that_are_nowhere_positive(codec):
    heatmaps = np.zeros((4, 32, 24), np.float32)
    heatmaps[1] = gaussian(13, 13)
    heatmaps[2] -= 1
    heatmaps[3] = np.nan
    keypoints, scores = decode(codec, heatmaps)
    unit = np.array(codec.input_size) / (
        np.array(SIZE) - isinstance(codec, UDPHeatmap))
    np.testing.assert_allclose(keypoints[[0, 2, 3]] / unit, -np.ones((3, 2)),
                               rtol=1e-6)
    np.testing.assert_allclose(keypoints[1] / unit, [13, 13], atol=1e-3)
    np.testing.assert_array_equal(scores, [0, 1, -1, np.nan])


@pytest.mark.parametrize('codec', CODECS, ids=IDS)
def test_a_flat_heatmap_has_no_step(codec):
    keypoints, scores = decode(codec, np.full((1, 32, 24), .5, np.float32))
    assert np.isfinite(keypoints).all() and scores == .5


def test_autocast_does_not_round():
    heatmaps = np.stack([gaussian(5.3, 7.6), gaussian(12.2, .4)])
    expected, _ = decode(CODECS[0], heatmaps)
    with torch.autocast('cpu', torch.bfloat16):
        keypoints, _ = decode(CODECS[0], heatmaps)
    np.testing.assert_array_equal(keypoints, expected)


def test_biased_msra_is_mmposes():
    codec = MSRAHeatmap((96, 128), SIZE, sigma=1.5)
    rng = np.random.default_rng(0)
    heatmaps = rng.normal(size=(50, 32, 24)).astype(np.float32)
    expected, expected_scores = codec.decode(heatmaps)
    keypoints, scores = decode(codec, heatmaps)
    np.testing.assert_array_equal(keypoints, expected[0])
    np.testing.assert_array_equal(scores, expected_scores[0])


@pytest.mark.parametrize('codec', CODECS, ids=IDS)
def test_no_keypoint_flies_off_from_a_plateau(codec):
    """Of noise the parabola has hardly a maximum, and MMPose follows it."""
    heatmaps = np.random.default_rng(0).uniform(
        .4, .5, (400, *SIZE[::-1])).astype(np.float32)
    rows, columns = np.divmod(heatmaps.reshape(400, -1).argmax(1), SIZE[0])
    unit = np.array(codec.input_size) / (
        np.array(SIZE) - (codec is CODECS[0]))
    peaks = np.stack((columns, rows), -1) * unit

    def farthest(keypoints):
        return (abs(keypoints - peaks) / unit).max()

    assert farthest(codec.decode(heatmaps)[0][0]) > 10
    assert farthest(decode(codec, heatmaps)[0]) <= 2 + 1e-4
