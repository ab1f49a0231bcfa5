import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmpose.codecs import MSRAHeatmap, SimCCLabel, UDPHeatmap

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.codecs import resize_codec
from mmpose_raf.models.heatmap_decoding import decode_heatmaps
from mmpose_raf.models.heatmap_targets import encode_batch

LEVELS = [(192, 256), (144, 192), (96, 128)]


def codec_of(kind, size=(192, 256), sigma=2.):
    heatmap_size = (size[0] // 4, size[1] // 4)
    if kind == 'udp':
        return UDPHeatmap(size, heatmap_size, sigma=sigma)
    return MSRAHeatmap(
        size, heatmap_size, sigma=sigma, unbiased=kind == 'unbiased')


def theirs(codec, keypoints, visible):
    """MMPose's targets, one image after the other."""
    encoded = [
        codec.encode(k[None], v[None]) for k, v in zip(keypoints, visible)
    ]
    return (np.stack([e['heatmaps'] for e in encoded]),
            np.concatenate([e['keypoint_weights'] for e in encoded]))


def ours(codec, keypoints, visible):
    heatmaps, weights = encode_batch(codec, torch.from_numpy(keypoints),
                                     torch.from_numpy(visible))
    assert heatmaps.dtype == weights.dtype == torch.float32
    return heatmaps.numpy(), weights.numpy()


def assert_same(codec, keypoints, visible):
    heatmaps, weights = theirs(codec, keypoints, visible)
    our_heatmaps, our_weights = ours(codec, keypoints, visible)
    np.testing.assert_allclose(our_heatmaps, heatmaps, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(our_weights, weights)
    return heatmaps, weights


# -- equal to MMPose ---------------------------------------------------------


@pytest.mark.parametrize('kind', ['udp', 'msra', 'unbiased'])
@pytest.mark.parametrize('size', LEVELS)
@pytest.mark.parametrize('sigma', [1., 2., 3.])
def test_targets_are_mmposes(kind, size, sigma):
    rng = np.random.default_rng(0)
    # a third of the image around it: every kind of inside and outside
    keypoints = rng.uniform(-.35, 1.35, (8, 21, 2)) * size
    visible = rng.choice([0, 1, 1, 1], (8, 21)).astype(np.float32)
    heatmaps, weights = assert_same(
        codec_of(kind, size, sigma), keypoints.astype(np.float32), visible)
    # the case is worth it: seen, unseen, cut off and outside
    assert 0 < (weights < visible).sum() < visible.sum()
    peaks = heatmaps.max((2, 3))
    assert ((peaks > 0) & (peaks < .5)).any()


@pytest.mark.parametrize('kind', ['udp', 'msra', 'unbiased'])
def test_targets_are_mmposes_at_exact_pixels_and_borders(kind):
    at = np.float32([-27, -26, -25, -24, -4, -2, -.5, 0, .5, 2, 4, 95.5])
    x = np.concatenate((at, 191 - at))
    y = np.concatenate((at, 255 - at))
    keypoints = np.stack(np.meshgrid(x, y), -1).reshape(1, -1, 2)
    assert_same(
        codec_of(kind), keypoints, np.ones(keypoints.shape[:2], np.float32))


@pytest.mark.parametrize('kind', ['udp', 'msra', 'unbiased'])
def test_weights_are_mmposes_for_any_visibility(kind):
    visible = np.float32([[0, .3, .49, .5, .8, 1, 2]])
    for place in ([90, 120], [-500, 120], [90, 2000]):
        keypoints = np.tile(np.float32(place), (1, 7, 1))
        assert_same(codec_of(kind), keypoints, visible)


@pytest.mark.parametrize('kind', ['udp', 'msra'])
@pytest.mark.parametrize('sigma', [.5, 1.5, 2.5, 1.25])
def test_targets_are_mmposes_away_from_the_border(kind, sigma):
    # 3 sigma is no whole number, with a fraction of at least one half
    assert (3 * sigma) % 1 >= .5
    rng = np.random.default_rng(0)
    margin = 4 * (3 * sigma + 2)
    keypoints = rng.uniform(margin, np.array([192, 256]) - margin, (2, 30, 2))
    heatmaps, _ = assert_same(
        codec_of(kind, sigma=sigma), keypoints.astype(np.float32),
        np.ones((2, 30), np.float32))
    assert (heatmaps.max((2, 3)) > .3).all()


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    kind=st.sampled_from(['udp', 'msra', 'unbiased']),
    ratio=st.sampled_from([2, 4]),
    width=st.integers(3, 12),
    height=st.integers(3, 12),
    sigma=st.sampled_from([1, 2]),
    keypoint=st.tuples(
        st.floats(-100, 150, width=32), st.floats(-100, 150, width=32)),
    visible=st.sampled_from([0, 1]))
def test_targets_are_mmposes_at_any_size(kind, ratio, width, height, sigma,
                                         keypoint, visible):
    kwargs = dict() if kind == 'udp' else dict(unbiased=kind == 'unbiased')
    codec = (UDPHeatmap if kind == 'udp' else MSRAHeatmap)(
        (width * ratio, height * ratio), (width, height),
        sigma=sigma,
        **kwargs)
    assert_same(codec, np.float32([[keypoint]]), np.float32([[visible]]))


def test_other_codecs_are_refused():
    with pytest.raises(ConfigError, match='SimCCLabel'):
        encode_batch(
            SimCCLabel((192, 256)), torch.zeros(1, 1, 2), torch.ones(1, 1))


# -- where MMPose errs -------------------------------------------------------


def test_gaussian_is_that_by_hand():
    codec = UDPHeatmap((13, 9), (13, 9), sigma=1)
    target, weights = encode_batch(codec, torch.tensor([[[5.25, 3.]]]),
                                   torch.ones(1, 1))
    x, y = np.meshgrid(np.arange(13), np.arange(9))
    expected = np.exp(-((x - 5.25)**2 + (y - 3)**2) / 2)
    expected[(abs(x - 5) > 3) | (abs(y - 3) > 3)] = 0
    np.testing.assert_allclose(target[0, 0], expected, atol=1e-6)
    assert weights.tolist() == [[1]]


@pytest.mark.parametrize('sigma', [1.5, 1.4, 0.9])
@pytest.mark.parametrize('x', [0., 3., 6.2, 12., 100., 130.9, 143.])
def test_gaussian_stays_on_the_keypoint(sigma, x):
    # At a non-integer 3 sigma MMPose moves it at the left and top border, and
    # everywhere if the fraction is below one half.
    codec = codec_of('udp', (144, 192), sigma)
    target, _ = encode_batch(codec, torch.tensor([[[x, 96.]]]),
                             torch.ones(1, 1))
    row = target[0, 0, 24]
    centre = x / 143 * 35
    at = torch.arange(36.)
    gaussian = torch.exp(-(at - centre)**2 / (2 * sigma**2))
    near = (at - centre).abs() <= 3 * sigma - 1
    torch.testing.assert_close(
        (row / row.max())[near], (gaussian / gaussian.max())[near],
        rtol=1e-4,
        atol=1e-5)


# -- encode, then decode -----------------------------------------------------


def all_over(size):
    """Keypoints everywhere, on all borders and within three sigma of them."""
    rng = np.random.default_rng(0)
    last = np.array(size) - 1.
    anywhere = rng.uniform(0, 1, (300, 2)) * last
    on_border = []
    for axis in (0, 1):
        for side in (0., last[axis]):
            points = rng.uniform(0, 1, (60, 2)) * last
            points[:, axis] = side
            on_border.append(points)
            near = points.copy()
            near[:, axis] = abs(side - rng.uniform(0, 24, 60))
            on_border.append(near)
    corners = np.array([[x, y] for x in (0, last[0]) for y in (0, last[1])])
    return np.concatenate([anywhere, *on_border, corners])[None]


def decode_here(codec, targets):
    return [part.numpy() for part in decode_heatmaps(codec, targets)]


def decoding_error(codec, keypoints, decode=decode_here):
    """Largest distance in pixels along an axis."""
    targets, weights = encode_batch(codec,
                                    torch.from_numpy(keypoints).float(),
                                    torch.ones(keypoints.shape[:2]))
    assert (weights == 1).all()
    decoded, scores = decode(codec, targets)
    assert decoded.shape == keypoints.shape
    np.testing.assert_allclose(scores[0], targets[0].amax((1, 2)))
    if isinstance(codec, UDPHeatmap):
        # MMPose encodes x / (w - 1) and decodes times w.
        decoded = decoded / codec.input_size * (np.array(codec.input_size) - 1)
    return abs(decoded - keypoints).max()


@pytest.mark.parametrize('mode', ['pixel', 'relative'])
@pytest.mark.parametrize('size', LEVELS)
def test_decoded_target_lands_on_the_keypoint(mode, size):
    codec = resize_codec(codec_of('udp'), size, mode)
    error = decoding_error(codec, all_over(size))
    assert error < .05


@pytest.mark.parametrize('size', [(48, 64), (256, 192), (128, 128)])
def test_decoded_target_lands_on_the_keypoint_elsewhere(size):
    codec = resize_codec(codec_of('udp'), size, 'pixel')
    assert decoding_error(codec, all_over(size)) < .05


@pytest.mark.parametrize('mode', ['pixel', 'relative'])
@pytest.mark.parametrize('size', LEVELS)
def test_decoded_unbiased_msra_target_lands_on_the_keypoint(mode, size):
    codec = resize_codec(codec_of('unbiased'), size, mode)
    # The last input pixel lies 3/4 of a heatmap pixel beyond the last one,
    # and MSRA's parabola is coarser than UDP's.
    limit = .1 if codec.sigma == 1 else .05
    assert decoding_error(codec, all_over(size)) < limit


@pytest.mark.parametrize('size', LEVELS)
def test_mmpose_alone_decodes_inside_only(size):

    def decode(codec, targets):
        return codec.decode(targets[0].numpy())

    codec = resize_codec(codec_of('udp'), size, 'relative')
    keypoints = all_over(size)
    inside = ((keypoints > 32) & (keypoints < np.array(size) - 33)).all(-1)[0]
    assert decoding_error(codec, keypoints[:, inside], decode) < .05
    # what makes decode_heatmaps necessary; once this fails it can go
    assert decoding_error(codec, keypoints, decode) > 1
