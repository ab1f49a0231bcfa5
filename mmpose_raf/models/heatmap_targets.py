"""Heatmap targets of a whole batch in one operation on its device."""

import math
from typing import Tuple

import torch
from torch import Tensor

from .codecs import HeatmapCodec, check_codec, is_udp
from .constants import constant_like
from .ladder import ratio_of


def encode_batch(codec: HeatmapCodec, keypoints: Tensor,
                 visible: Tensor) -> Tuple[Tensor, Tensor]:
    """Encode keypoints as MMPose's ``codec.encode`` does, batched.

    The Gaussian is separable, so each heatmap is the product of two vectors.
    Where ``3 * sigma`` is no whole number, MMPose's UDP and MSRA generators
    move the Gaussian by one heatmap pixel at the left and top border (and
    everywhere if its fraction is below one half): here it stays on the
    keypoint.

    Args:
        codec (UDPHeatmap | MSRAHeatmap): Codec that defines the heatmaps.
        keypoints (Tensor): Coordinates in the input's pixels, in shape
            (B, K, 2).
        visible (Tensor): Visibility of the keypoints in shape (B, K); those
            below 0.5 have an empty heatmap.

    Returns:
        tuple[Tensor, Tensor]: Heatmaps (B, K, H, W), float32, and keypoint
        weights (B, K): ``visible``, and 0 where the Gaussian lies outside.
    """
    check_codec(codec)
    width, height = codec.heatmap_size
    # codec.scale_factor, which is an array of numpy's.
    scale = ratio_of(codec.heatmap_size, codec.input_size, is_udp(codec))
    centre = keypoints / constant_like(scale, keypoints)
    # Whole pixels as numpy's astype(int) makes them in MMPose: towards zero.
    pixel = (centre + 0.5).trunc()
    unbiased = not is_udp(codec) and codec.unbiased
    if not is_udp(codec) and not unbiased:
        centre = pixel

    radius = 3 * codec.sigma
    if unbiased:  # not cut off, and its border is counted from the keypoint
        low, high = centre - radius, centre + radius + 1
    else:
        low = pixel - math.ceil(radius)
        high = pixel + math.floor(radius) + 1
    size = constant_like((width, height), keypoints)
    is_inside = ((low < size) & (high >= 0)).all(-1)
    is_visible = visible >= 0.5
    # MMPose looks at no keypoint below 0.5: its weight stays, its heatmap is
    # empty.
    weights = visible.masked_fill(is_visible & ~is_inside, 0)

    def profile(axis: int, length: int) -> Tensor:
        at = torch.arange(length, device=keypoints.device)
        gaussian = torch.exp(-(at - centre[..., axis, None])**2 /
                             (2 * codec.sigma**2))
        if unbiased:
            return gaussian
        return gaussian * ((at >= low[..., axis, None]) &
                           (at < high[..., axis, None]))

    x, y = profile(0, width), profile(1, height)
    is_drawn = is_inside & is_visible
    heatmaps = y[..., :, None] * (x * is_drawn[..., None])[..., None, :]
    return heatmaps, weights
