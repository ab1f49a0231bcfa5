import math

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.layers import SinePositionalEncoding

from mmpose_raf.models.backbones.position_encodings import (
    FourierPositionEncoding, GlobalPositionEncoding, LocalPositionEncoding,
    fourier_grid, resize_position_embedding, sine_cosine_grid)

CPU = torch.device('cpu')


@pytest.mark.parametrize('channels', [4, 32, 384])
@pytest.mark.parametrize('grid', [(16, 12), (12, 16), (4, 3), (1, 5)])
def test_grid_is_detrs_sine_encoding(channels, grid):
    theirs = SinePositionalEncoding(channels // 2, normalize=True)
    expected = theirs(torch.zeros(1, *grid))
    ours = sine_cosine_grid(channels, grid, CPU)
    assert ours.shape == (1, channels, *grid)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def test_grid_is_that_by_hand():
    grid = sine_cosine_grid(4, (2, 4), CPU)[0]
    # The lowest frequency is 1: row 1 of 2 is half a turn, column 1 of 4 a
    # quarter. y comes first, sine before cosine.
    torch.testing.assert_close(
        grid[:, 0, 0], torch.tensor([0., -1., 1., 0.]), rtol=0, atol=1e-6)


def test_gpe_is_the_grid_through_a_depthwise_convolution():
    gpe = GlobalPositionEncoding(8)
    grid = sine_cosine_grid(8, (5, 3), CPU)
    expected = torch.cat([
        F.conv2d(
            grid[:, i:i + 1],
            gpe.conv.weight[i:i + 1],
            gpe.conv.bias[i:i + 1],
            padding=1) for i in range(8)
    ], 1)
    encoding = gpe((5, 3))
    assert encoding.shape == (1, 15, 8)
    # row by row: token 4 is row 1, column 1
    torch.testing.assert_close(encoding[0, 4], expected[0, :, 1, 1])
    torch.testing.assert_close(
        encoding.transpose(1, 2).reshape(1, 8, 5, 3), expected)


def test_fourier_features_are_those_by_hand():
    grid = fourier_grid(8, (2, 4), CPU)[0]
    # Half a period and eight in the image. The centre of row 0 of 2 is at a
    # quarter of the height, that of column 1 of 4 at 3/8 of the width.
    half = math.sqrt(.5)
    y = [half, half, 0., 1.]
    x = [math.sin(3 * math.pi / 8), math.cos(3 * math.pi / 8), 0., 1.]
    torch.testing.assert_close(
        grid[:, 0, 1], torch.tensor(y + x), rtol=0, atol=1e-5)


def test_a_place_has_the_same_fourier_features_on_every_grid():
    """The centre of patch i of n is that of patch 3 i + 1 of 3 n."""
    coarse = fourier_grid(32, (4, 3), CPU)
    fine = fourier_grid(32, (12, 9), CPU)
    torch.testing.assert_close(
        fine[..., 1::3, 1::3], coarse, rtol=0, atol=1e-4)


def test_fourier_features_tell_neighbours_apart():
    """Ten times better than the sine grid, wherever they are."""

    def distances(grid):
        return (grid[..., 1:, :] - grid[..., :-1, :]).norm(dim=1)

    size = (96, (16, 12), CPU)
    ratio = distances(fourier_grid(*size)) / distances(sine_cosine_grid(*size))
    assert ratio.min() > 10


def test_fourier_encoding_is_features_and_their_convolution():
    encoding = FourierPositionEncoding(8)
    features = fourier_grid(8, (5, 3), CPU)
    torch.nn.init.zeros_(encoding.refine.weight)
    torch.nn.init.zeros_(encoding.refine.bias)
    encoding.refine.weight.data[2, 0, 1, 2] = 10.  # the right neighbour
    expected = features.clone()
    expected[:, 2, :, :-1] += 10 * features[:, 2, :, 1:]
    found = encoding((5, 3))
    assert found.shape == (1, 15, 8)
    torch.testing.assert_close(
        found.transpose(1, 2).unflatten(2, (5, 3)), expected)


@pytest.mark.parametrize('channels', [4, 10])
def test_fourier_encoding_refuses_channels(channels):
    with pytest.raises(ValueError, match=f'8 at least, but got {channels}'):
        FourierPositionEncoding(channels)


def test_gpe_refuses_channels_that_do_not_pair_up():
    with pytest.raises(ValueError, match='multiple of 4, but got 6'):
        GlobalPositionEncoding(6)


def test_gpe_trains_after_its_grid_was_made_in_inference_mode():
    gpe = GlobalPositionEncoding(12)
    with torch.inference_mode():
        first = gpe((7, 11))
    second = gpe((7, 11))
    second.square().sum().backward()
    assert gpe.conv.weight.grad.abs().sum() > 0
    torch.testing.assert_close(second.detach(), first.clone())


def test_gpe_follows_the_dtype_of_its_weights():
    assert GlobalPositionEncoding(8).double()((2, 2)).dtype == torch.float64


def test_lpe_starts_at_zero_and_learns():
    lpe = LocalPositionEncoding(6)
    value = torch.randn(2, 20, 3 * 6)
    encoding = lpe(value, (5, 4))
    assert encoding.shape == value.shape
    assert not encoding.any()
    encoding.sum().backward()
    assert lpe.weight.grad.abs().sum() > 0
    assert lpe.bias.grad.abs().sum() > 0


def test_lpe_shares_one_kernel_between_the_heads():
    lpe = LocalPositionEncoding(6)
    torch.nn.init.normal_(lpe.weight)
    torch.nn.init.normal_(lpe.bias)
    tokens = torch.randn(2, 20, 3 * 6)
    encoding = lpe(tokens, (5, 4)).reshape(2, 20, 3, 6).transpose(1, 2)
    value = tokens.reshape(2, 20, 3, 6).transpose(1, 2)
    for head in range(3):
        value_map = value[:, head].transpose(1, 2).reshape(2, 6, 5, 4)
        expected = F.conv2d(
            value_map, lpe.weight, lpe.bias, padding=1, groups=6)
        torch.testing.assert_close(
            encoding[:, head].transpose(1, 2).reshape(2, 6, 5, 4), expected)


def test_lpe_uses_non_square_grids_row_by_row():
    lpe = LocalPositionEncoding(1)
    with torch.no_grad():
        lpe.weight[0, 0, 0, 1] = 1  # takes the value of the patch above
    value = torch.arange(6.).reshape(1, 6, 1)
    assert lpe(value, (2, 3)).flatten().tolist() == [0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize('num_extra', [0, 1])
def test_embedding_is_interpolated_bicubic_on_its_grid(num_extra):
    embedding = torch.randn(1, num_extra + 4 * 6, 8)
    grid = embedding[:, num_extra:].reshape(1, 4, 6, 8).permute(0, 3, 1, 2)
    expected = F.interpolate(
        grid, size=(8, 3), mode='bicubic', align_corners=False)
    resized = resize_position_embedding(embedding, (4, 6), (8, 3))
    assert resized.shape == (1, num_extra + 24, 8)
    torch.testing.assert_close(resized[:, :num_extra],
                               embedding[:, :num_extra])
    torch.testing.assert_close(resized[:, num_extra:],
                               expected.permute(0, 2, 3, 1).reshape(1, 24, 8))


def test_embedding_of_the_same_grid_keeps_its_values():
    embedding = torch.randn(1, 12, 8)
    assert resize_position_embedding(embedding, (3, 4), [3, 4]) is embedding


def test_embedding_keeps_its_dtype():
    embedding = torch.randn(1, 13, 8, dtype=torch.bfloat16)
    resized = resize_position_embedding(embedding, (3, 4), (2, 2))
    assert resized.dtype == torch.bfloat16
