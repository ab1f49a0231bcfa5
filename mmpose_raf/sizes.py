"""Sizes of images and heatmaps."""

from typing import Any, Tuple

from torch import Tensor

#: Width and height in pixels, in this order, as in MMPose's configs.
Size = Tuple[int, int]


def is_size(value: Any) -> bool:
    """Whether a value is a size (w, h) of two positive integers."""
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(
        isinstance(side, int) and side > 0 for side in value)


def size_of(maps: Tensor) -> Size:
    """Size (w, h) of images or heatmaps in shape (..., H, W)."""
    return maps.shape[-1], maps.shape[-2]


def size_name(size: Size) -> str:
    """A size (w, h) as it is written in logs and tables: ``256x192``, HxW."""
    return f'{size[1]}x{size[0]}'
