"""The ladder: one batch at several resolutions (RAF, arXiv 2507.23461).

The image was cropped once, at the client's native size; the lower levels are
resampled from it on its device. A level is what MMPose's ``TopdownAffine``
would have cropped at that size: the same frame, and keypoints moved by the
very transform that resized the image.
"""

import itertools
import math
from typing import List, NamedTuple, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.codecs import HeatmapCodec
from mmpose_raf.models.constants import constant_like
from mmpose_raf.sizes import Size, is_size

#: By which power of its area a level is weighted.
LEVEL_WEIGHTS = {'uniform': 0, 'area': 1, 'inverse_area': -1}


class Level(NamedTuple):
    """One of the sizes at which a batch is trained.

    Attributes:
        size (tuple[int, int]): Input size (w, h) in pixels.
        share (float): Weight w_l of its losses; those of all levels add up
            to 1.
        codec (UDPHeatmap | MSRAHeatmap): Codec of this size.
        samples (slice): The samples of the batch that are trained at this
            level; all of them by default.
    """

    size: Size
    share: float
    codec: HeatmapCodec
    samples: slice = slice(None)


def check_backbone_takes(backbone: nn.Module, size: Size, field: str):
    """Refuse a size (w, h) that does not fit the patches of a backbone.

    Args:
        backbone (nn.Module): The backbone; only one with patches (RAFViT) is
            asked.
        size (tuple[int, int]): Input size (w, h) in pixels.
        field (str): Where the size stands in the config.

    Raises:
        ConfigError: If it does not fit.
    """
    grid_of = getattr(backbone, 'grid_of', None)
    if grid_of is None:
        return
    try:
        grid_of(size[::-1])
    except ValueError as error:
        raise ConfigError(field, str(error), 'choose another size') from error


def check_ladder(ladder: Sequence[Size], field: str = 'ladder') -> List[Size]:
    """Return a ladder as tuples, from high to low.

    Raises:
        ConfigError: If it holds anything but pairs of positive integers.
    """
    is_list = isinstance(ladder, (list, tuple))
    if not is_list or not all(map(is_size, ladder)):
        raise ConfigError(field, f'got {ladder!r}',
                          'give input sizes in pixels as [(w, h), ...]')
    return sorted({tuple(size) for size in ladder}, reverse=True)


def levels_of(ladder: Sequence[Size],
              native: Size,
              upward: bool = False) -> List[Size]:
    """Levels that a client trains on, from high to low.

    Args:
        ladder (list[tuple[int, int]]): All sizes (w, h).
        native (tuple[int, int]): Native input size (w, h) of the client. It
            is a level even where the ladder lacks it.
        upward (bool): Whether levels above the native size are among them,
            to which the image is enlarged. Defaults to False.
    """
    levels = {native} | {
        size
        for size in ladder
        if upward or (size[0] <= native[0] and size[1] <= native[1])
    }
    return sorted(levels, reverse=True)


def fit_size(size: Size, levels: Sequence[Size]) -> Size:
    """Size within the range of some levels at which an input is predicted.

    Args:
        size (tuple[int, int]): Size (w, h) of the input.
        levels (list[tuple[int, int]]): Sizes (w, h), from high to low.

    Returns:
        tuple[int, int]: The lowest level for an input that is smaller, the
        highest for one that is larger, if they have its aspect ratio: people
        are enlarged or reduced, not stretched. Else, or without levels, the
        size as it is.
    """
    if not levels:
        return size
    width, height = size
    for level, is_beyond in ((levels[-1], height < levels[-1][1]),
                             (levels[0], height > levels[0][1])):
        if is_beyond and width * level[1] == height * level[0]:
            return level
    return size


def weigh_levels(levels: Sequence[Size], rule: str) -> List[float]:
    """Weights of the levels' losses, which add up to 1.

    Args:
        levels (list[tuple[int, int]]): Sizes (w, h) of the levels.
        rule (str): ``'uniform'``; ``'area'``: in proportion to w h; or
            ``'inverse_area'``: in proportion to 1 / (w h).
    """
    power = LEVEL_WEIGHTS[rule]
    shares = [(width * height)**power for width, height in levels]
    return [share / sum(shares) for share in shares]


def split_batch(batch_size: int, shares: Sequence[float],
                offset: float) -> List[slice]:
    """Share a batch out among levels (systematic sampling).

    Each level gets a run of samples, as many as its share of the batch,
    rounded up or down so that a uniform offset gives the share exactly in the
    mean.

    Args:
        batch_size (int): Samples B in the batch.
        shares (list[float]): Weights of the levels, which add up to 1.
        offset (float): In [0, 1).

    Returns:
        list[slice]: The samples of each level; a slice may be empty.
    """
    edges = [
        math.floor(batch_size * passed + offset)
        for passed in itertools.accumulate(shares)
    ]
    # Rounding errors of the shares must not cost the last sample.
    edges[-1] = batch_size
    return [slice(*pair) for pair in zip([0, *edges], edges)]


def resample(maps: Tensor,
             size: Size,
             use_udp: bool,
             mode: str = 'bilinear') -> Tensor:
    """Resize images or heatmaps in a codec's coordinates.

    Args:
        maps (Tensor): Images or heatmaps in shape (B, C, H, W).
        size (tuple[int, int]): Size (w, h) wanted, in pixels.
        use_udp (bool): Coordinates of UDP (Huang et al., CVPR 2020): the
            first and last pixel centres stay first and last, x' = x (w' - 1)
            / (w - 1). Otherwise those of MMPose without UDP: x' = x w' / w.
        mode (str): ``'bilinear'`` or ``'bicubic'``. Defaults to
            ``'bilinear'``.

    Returns:
        Tensor: Maps in shape (B, C, h, w).
    """
    if use_udp:
        return F.interpolate(
            maps, size=size[::-1], mode=mode, align_corners=True)

    def positions(target: int, source: int) -> Tensor:
        at = torch.arange(target, device=maps.device) * (source / target)
        return at * (2 / max(source - 1, 1)) - 1

    x = positions(size[0], maps.shape[-1])
    y = positions(size[1], maps.shape[-2])
    grid = torch.stack(torch.meshgrid(x, y, indexing='xy'), -1)
    return F.grid_sample(
        maps,
        grid.to(maps.dtype).expand(len(maps), -1, -1, -1),
        mode=mode,
        padding_mode='border',
        align_corners=True)


def resize_keypoints(keypoints: Tensor, source: Size, target: Size,
                     use_udp: bool) -> Tensor:
    """Move keypoints as :func:`resample` moves the image.

    Args:
        keypoints (Tensor): Coordinates in pixels, in shape (..., 2).
        source (tuple[int, int]): Size (w, h) of the image.
        target (tuple[int, int]): Size (w, h) after resizing.
        use_udp (bool): See :func:`resample`.
    """
    return keypoints * constant_like(
        ratio_of(source, target, use_udp), keypoints)


def ratio_of(source: Size, target: Size, use_udp: bool) -> List[float]:
    """By what coordinates (x, y) are multiplied, see resize_keypoints."""
    border = int(use_udp)
    return [(t - border) / (s - border) for s, t in zip(source, target)]
