"""Position encodings of a Vision Transformer for any grid of patches.

Global and local position encoding (GPE, LPE) are those of ResFormer (Tian et
al., CVPR 2023, arXiv 2212.00776), which RAF (Lim et al., arXiv 2507.23461)
puts in the place of ViTPose's position embedding of fixed size (APE).
"""

import math
from typing import Optional, Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from mmpose_raf.models.constants import made_once

TEMPERATURE = 10000
#: Periods in the image of the Fourier features' lowest and highest frequency;
#: 8 tell neighbours among 16 patches apart, ViTPose's 256 pixels.
LEAST_PERIODS, MOST_PERIODS = 0.5, 8


@made_once
def sine_cosine_grid(channels: int, grid: Tuple[int, int],
                     device: torch.device) -> Tensor:
    """2-D sine-cosine position grid.

    Coordinates run from 1 to n and are normalised to ``2 * pi``. The first
    half of the channels encodes y, the second x; sine and cosine take turns.

    Args:
        channels (int): Number of channels C, a multiple of 4.
        grid (tuple[int, int]): Number of patches (H, W).
        device (torch.device): Where the grid is made.

    Returns:
        Tensor: The grid in shape (1, C, H, W), float32. It is shared between
        calls and must not be written to.
    """
    half = channels // 2
    exponent = torch.arange(0, half, 2, device=device) / half
    frequency = TEMPERATURE**-exponent

    def encode(length: int) -> Tensor:
        position = torch.arange(1, length + 1, device=device) / length
        angle = 2 * math.pi * position[:, None] * frequency
        return torch.stack((angle.sin(), angle.cos()), -1).flatten(1)

    height, width = grid
    y = encode(height)[:, None].expand(height, width, half)
    x = encode(width)[None].expand(height, width, half)
    return torch.cat((y, x), -1).permute(2, 0, 1)[None].contiguous()


class PartOfWider(nn.Module):
    """A position encoding whose features may be those of a wider model.

    Channels of position features mean something, as those of weights do not:
    a model that is cut out of a wider one needs the features of the channels
    that it was cut out at.

    Args:
        channels (int): Width C of the tokens.
        wider (int, optional): Width of the wider model. Its channels that
            this one holds are the buffer ``held``, at first the leading ones
            of both halves. Defaults to None: this model is nobody's part.
    """

    def __init__(self, channels: int, wider: Optional[int]):
        super().__init__()
        self.channels = channels
        self.wider = wider
        if wider is None:
            self.held = None
        else:
            if wider < channels:
                raise ValueError('position_width must be at least the width '
                                 f'{channels}, but got {wider}')
            leading = torch.arange(channels // 2)
            self.register_buffer(
                'held', torch.cat((leading, leading + wider // 2)))

    @property
    def num_features(self) -> int:
        """int: Channels of the features before any are chosen."""
        return self.channels if self.wider is None else self.wider

    def choose(self, features: Tensor) -> Tensor:
        """Of features (1, num_features, H, W) the C channels held."""
        return features if self.held is None else features[:, self.held]


class GlobalPositionEncoding(PartOfWider):
    """GPE: a sine-cosine grid through a 3x3 depth-wise convolution.

    It exists at any grid size and is added to the patch tokens once, before
    the first block (ResFormer, section 3.3).

    Args:
        channels (int): Width C of the tokens, a multiple of 4.
        wider (int, optional): See :class:`PartOfWider`. Defaults to None.
    """

    def __init__(self, channels: int, wider: Optional[int] = None):
        super().__init__(channels, wider)
        if channels % 4:
            raise ValueError(
                f'channels must be a multiple of 4, but got {channels}: half '
                'of them encode y, half x, in pairs of sine and cosine')
        self.conv = nn.Conv2d(
            channels, channels, 3, padding=1, groups=channels)

    def forward(self, grid: Tuple[int, int]) -> Tensor:
        """Encode a grid of patches.

        Args:
            grid (tuple[int, int]): Number of patches (H, W).

        Returns:
            Tensor: Encoding in shape (1, H * W, C), row by row.
        """
        sine = sine_cosine_grid(self.num_features, tuple(grid),
                                self.conv.weight.device)
        encoding = self.conv(self.choose(sine).to(self.conv.weight.dtype))
        return encoding.flatten(2).transpose(1, 2)


@made_once
def fourier_grid(channels: int, grid: Tuple[int, int],
                 device: torch.device) -> Tensor:
    """Fourier features of the patches' centres.

    Coordinates are shares of the image, (i + 1/2) / n, so that a place has
    the same features on every grid. Frequencies rise geometrically from
    half a period in the image to :data:`MOST_PERIODS` (Fourier features,
    Tancik et al., NeurIPS 2020, on the log-linear scale).

    Args:
        channels (int): Number of channels C, a multiple of 4, 8 at least.
        grid (tuple[int, int]): Number of patches (H, W).
        device (torch.device): Where the grid is made.

    Returns:
        Tensor: In shape (1, C, H, W), float32; y first, sine and cosine in
        turn, as :func:`sine_cosine_grid`. It is shared between calls and
        must not be written to.
    """
    half = channels // 2
    share = torch.arange(half // 2, device=device) / (half // 2 - 1)
    periods = LEAST_PERIODS * (MOST_PERIODS / LEAST_PERIODS)**share

    def encode(length: int) -> Tensor:
        position = (torch.arange(length, device=device) + .5) / length
        angle = 2 * math.pi * position[:, None] * periods
        return torch.stack((angle.sin(), angle.cos()), -1).flatten(1)

    height, width = grid
    y = encode(height)[:, None].expand(height, width, half)
    x = encode(width)[None].expand(height, width, half)
    return torch.cat((y, x), -1).permute(2, 0, 1)[None].contiguous()


class FourierPositionEncoding(PartOfWider):
    """Fourier features of the patches, and what a convolution adds to them.

    ResFormer's sine grid has one period in the image, and less in most
    channels: neighbouring patches differ in position by about a hundredth of
    what they differ in content, which the 3x3 convolution does not raise.
    Here neighbours are told apart at once, at any grid size. The convolution
    sees the border of the grid and starts small beside the features.

    Args:
        channels (int): Width C of the tokens, a multiple of 4, 8 at least.
        wider (int, optional): See :class:`PartOfWider`. Defaults to None.
    """

    def __init__(self, channels: int, wider: Optional[int] = None):
        super().__init__(channels, wider)
        if channels % 4 or channels < 8:
            raise ValueError(
                f'channels must be a multiple of 4 and 8 at least, but got '
                f'{channels}: half of them encode y, half x, in pairs of sine '
                'and cosine')
        # Named unlike GPE's: weights of one are no weights of the other.
        self.refine = nn.Conv2d(
            channels, channels, 3, padding=1, groups=channels)

    def forward(self, grid: Tuple[int, int]) -> Tensor:
        """Encode a grid of patches (H, W): (1, H * W, C), row by row."""
        features = fourier_grid(self.num_features, tuple(grid),
                                self.refine.weight.device)
        features = self.choose(features).to(self.refine.weight.dtype)
        encoding = features + self.refine(features)
        return encoding.flatten(2).transpose(1, 2)


class LocalPositionEncoding(nn.Conv2d):
    """LPE: a 3x3 depth-wise convolution over the value map of attention.

    One kernel of ``head_dim`` channels is shared by all heads. It starts at
    zero, so that a model without LPE is the starting point (ResFormer,
    section 3.3).

    Args:
        head_dim (int): Channels of one attention head.
    """

    def __init__(self, head_dim: int):
        super().__init__(head_dim, head_dim, 3, padding=1, groups=head_dim)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, value: Tensor, grid: Tuple[int, int]) -> Tensor:
        """Encode the values of the patch tokens.

        The kernel is repeated for the heads rather than the heads put into
        the batch: values of all heads lie side by side in a token, as the
        channels of an image do, so nothing has to be copied.

        Args:
            value (Tensor): Values in shape (B, H * W, heads * head_dim),
                without a class token.
            grid (tuple[int, int]): Number of patches (H, W).

        Returns:
            Tensor: Encoding in the shape of ``value``.
        """
        num_heads = value.shape[-1] // self.in_channels
        value_map = F.conv2d(
            value.transpose(1, 2).unflatten(2, grid),
            self.weight.repeat(num_heads, 1, 1, 1),
            self.bias.repeat(num_heads),
            padding=1,
            groups=value.shape[-1])
        return value_map.flatten(2).transpose(1, 2)


def resize_position_embedding(embedding: Tensor, source: Tuple[int, int],
                              target: Tuple[int, int]) -> Tensor:
    """Interpolate a learned position embedding to another grid.

    Args:
        embedding (Tensor): Embedding in shape (1, E + h * w, C), whose first
            E tokens (the class token) belong to no patch and are kept.
        source (tuple[int, int]): Grid (h, w) of the embedding.
        target (tuple[int, int]): Grid (H, W) wanted.

    Returns:
        Tensor: Bicubic interpolation in shape (1, E + H * W, C); the very
        same values where both grids agree.
    """
    if tuple(source) == tuple(target):
        return embedding
    num_extra = embedding.shape[1] - source[0] * source[1]
    extra, patches = embedding[:, :num_extra], embedding[:, num_extra:]
    resized = F.interpolate(
        patches.transpose(1, 2).unflatten(2, tuple(source)).float(),
        size=tuple(target),
        mode='bicubic',
        align_corners=False).flatten(2).transpose(1, 2)
    return torch.cat((extra, resized.to(extra.dtype)), 1)
