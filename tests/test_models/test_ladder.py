import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.ladder import (check_ladder, levels_of, resample,
                                      resize_keypoints, split_batch,
                                      weigh_levels)

HIGH, MID, LOW = (192, 256), (144, 192), (96, 128)
LADDER = [HIGH, MID, LOW]


def sample(image, points):
    """Bilinear values of an image (H, W) at points (N, 2) within it."""
    height, width = image.shape
    x0 = np.clip(np.floor(points[:, 0]).astype(int), 0, width - 2)
    y0 = np.clip(np.floor(points[:, 1]).astype(int), 0, height - 2)
    dx, dy = points[:, 0] - x0, points[:, 1] - y0
    top = (1 - dx) * image[y0, x0] + dx * image[y0, x0 + 1]
    bottom = (1 - dx) * image[y0 + 1, x0] + dx * image[y0 + 1, x0 + 1]
    return (1 - dy) * top + dy * bottom


# -- the levels --------------------------------------------------------------


@pytest.mark.parametrize(
    'native, levels',
    [
        (HIGH, [HIGH, MID, LOW]),
        (MID, [MID, LOW]),
        (LOW, [LOW]),
        ((160, 224), [(160, 224), MID, LOW]),
        ((288, 384), [(288, 384), HIGH, MID, LOW]),
        ((48, 64), [(48, 64)]),
        # wider than some levels, but not as high
        ((256, 160), [(256, 160), LOW]),
    ])
def test_levels_fit_into_the_native_size(native, levels):
    assert levels_of(LADDER, native) == levels
    assert levels_of(LADDER[::-1], native) == levels
    assert levels_of([], native) == [native]
    assert levels_of(LADDER, native, upward=True) == sorted(
        {native, *LADDER}, reverse=True)


def test_weights_of_levels_add_up_to_1():
    assert weigh_levels(LADDER, 'uniform') == [1 / 3] * 3
    assert weigh_levels(LADDER, 'area') == [16 / 29, 9 / 29, 4 / 29]
    np.testing.assert_allclose(
        weigh_levels(LADDER, 'inverse_area'), [9 / 61, 16 / 61, 36 / 61])
    assert weigh_levels([LOW], 'area') == [1]


@pytest.mark.parametrize('batch_size', [1, 2, 7, 8])
@pytest.mark.parametrize('rule', ['uniform', 'area', 'inverse_area'])
def test_levels_get_their_shares_of_a_batch_in_the_mean(batch_size, rule):
    shares = weigh_levels(LADDER, rule)
    # As many as both denominators (29 and 61) divide.
    offsets = (np.arange(29 * 61) + .5) / (29 * 61)
    counts = []
    for offset in offsets:
        parts = split_batch(batch_size, shares, offset)
        taken = [sample for part in parts for sample in range(8)[part]]
        assert taken == list(range(batch_size))
        counts.append([part.stop - part.start for part in parts])
    wanted = batch_size * np.array(shares)
    assert np.abs(np.array(counts) - wanted).max() < 1
    np.testing.assert_allclose(np.mean(counts, 0), wanted, atol=1e-3)


@pytest.mark.parametrize('ladder', [
    [HIGH, MID, LOW],
    [LOW, HIGH, MID],
    ([96, 128], (192, 256), [144, 192], [96, 128]),
])
def test_ladder_runs_from_high_to_low(ladder):
    assert check_ladder(ladder) == LADDER


@pytest.mark.parametrize('ladder', [
    None,
    192,
    (192, 256),
    [(192, 256, 3)],
    [(192, 256), 128],
    [(192, 0)],
    [(-96, 128)],
    [(96., 128)],
    ['ab'],
])
def test_wrong_ladder_is_refused(ladder):
    with pytest.raises(ConfigError, match='model.ladder') as error:
        check_ladder(ladder, 'model.ladder')
    assert repr(ladder) in str(error.value)
    assert error.value.field == 'model.ladder'


# -- images ------------------------------------------------------------------


@pytest.mark.parametrize('size', [MID, LOW, (288, 384), (50, 37)])
def test_udp_keeps_first_and_last_pixel(size):
    images = torch.randn(2, 3, 256, 192)
    resized = resample(images, size, use_udp=True)
    assert resized.shape == (2, 3, size[1], size[0])
    expected = F.interpolate(
        images, size=(size[1], size[0]), mode='bilinear', align_corners=True)
    torch.testing.assert_close(resized, expected)
    for corner in (0, -1):
        torch.testing.assert_close(
            resized[..., corner, corner],
            images[..., corner, corner],
            rtol=0,
            atol=1e-3)


def test_msra_maps_index_to_index_times_ratio():
    images = torch.arange(8.).repeat(6, 1)[None, None]
    resized = resample(images, (4, 3), use_udp=False)
    assert resized.shape == (1, 1, 3, 4)
    torch.testing.assert_close(resized[0, 0, 0], torch.tensor([0., 2, 4, 6]))
    resized = resample(images.transpose(2, 3), (2, 5), use_udp=False)
    torch.testing.assert_close(resized[0, 0, :, 1],
                               torch.tensor([0, 1.6, 3.2, 4.8, 6.4]))


def test_msra_at_its_own_size_changes_nothing():
    images = torch.randn(2, 3, 20, 10)
    torch.testing.assert_close(
        resample(images, (10, 20), use_udp=False), images)


def test_msra_repeats_the_last_pixel_beyond_it():
    images = torch.arange(4.).repeat(3, 1)[None, None]
    resized = resample(images, (8, 3), use_udp=False)
    torch.testing.assert_close(resized[0, 0, 0],
                               torch.tensor([0, .5, 1, 1.5, 2, 2.5, 3, 3]))


@pytest.mark.parametrize('use_udp', [False, True])
@pytest.mark.parametrize('size', [MID, LOW, (70, 200)])
def test_image_and_keypoints_move_together(size, use_udp):
    y, x = torch.meshgrid(
        torch.arange(256.), torch.arange(192.), indexing='ij')
    ramp = 3 * x - 2 * y + 5
    resized = resample(ramp[None, None], size, use_udp)[0, 0]
    # inside what the smaller image still spans without extrapolation
    keypoints = torch.rand(1, 50, 2) * torch.tensor([180., 250.])
    moved = resize_keypoints(keypoints, HIGH, size, use_udp)
    moved = moved[0].double().numpy()
    inside = (moved <= np.array(size) - 1).all(-1)
    assert inside.sum() > 30
    before = sample(ramp.numpy(), keypoints[0].double().numpy())
    after = sample(resized.numpy(), moved)
    np.testing.assert_allclose(after[inside], before[inside], atol=2e-3)


@pytest.mark.parametrize('use_udp', [False, True])
def test_gradient_flows_through(use_udp):
    maps = torch.randn(1, 2, 8, 6, requires_grad=True)
    resample(maps, (3, 4), use_udp).sum().backward()
    assert maps.grad.abs().sum() > 0


# -- against the crop of MMPose ----------------------------------------------


def crop(size, use_udp, rotation):
    """MMPose's crop of a smooth image: crop (H, W, 3) and keypoints."""
    y, x = np.mgrid[:300, :240].astype(np.float32)
    image = np.stack(
        [np.sin(x / 40) + np.cos(y / 60), x * y / 1e4,
         np.sin((x + y) / 70)], -1)
    results = dict(
        img=image,
        bbox=np.float32([[50, 60, 170, 230]]),
        bbox_rotation=np.float32([rotation]),
        keypoints=np.random.default_rng(0).uniform(0, 240, (1, 17, 2)))
    results = GetBBoxCenterScale()(results)
    return TopdownAffine(size, use_udp=use_udp)(results)


@pytest.mark.parametrize('size', [MID, LOW])
@pytest.mark.parametrize('use_udp', [False, True])
@pytest.mark.parametrize('rotation', [0, 25])
def test_level_is_what_mmpose_would_have_cropped(size, use_udp, rotation):
    high = crop(HIGH, use_udp, rotation)
    expected = crop(size, use_udp, rotation)
    keypoints = resize_keypoints(
        torch.from_numpy(high['transformed_keypoints']), HIGH, size, use_udp)
    np.testing.assert_allclose(
        keypoints, expected['transformed_keypoints'], rtol=0, atol=1e-3)

    images = torch.from_numpy(high['img']).permute(2, 0, 1)[None]
    resized = resample(images, size, use_udp)[0].permute(1, 2, 0).numpy()
    inner = (slice(16, -16), slice(16, -16))  # rotated, corners are black
    np.testing.assert_allclose(
        resized[inner], expected['img'][inner], rtol=0, atol=2e-3)


@pytest.mark.parametrize('use_udp', [False, True])
def test_the_other_convention_would_be_noticed(use_udp):
    high, low = crop(HIGH, use_udp, 0), crop(LOW, use_udp, 0)
    keypoints = resize_keypoints(
        torch.from_numpy(high['transformed_keypoints']), HIGH, LOW,
        not use_udp)
    assert abs(keypoints - low['transformed_keypoints']).max() > .1


@pytest.mark.parametrize('use_udp, expected',
                         [(True, [[95, 127], [0, 0]]),
                          (False, [[95.5, 127.5], [0, 0]])])
def test_keypoints_move_as_by_hand(use_udp, expected):
    keypoints = torch.tensor([[191., 255.], [0., 0.]])
    moved = resize_keypoints(keypoints, HIGH, LOW, use_udp)
    torch.testing.assert_close(moved, torch.tensor(expected).float())
