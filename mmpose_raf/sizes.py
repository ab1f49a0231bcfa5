"""Sizes of images and heatmaps."""

import re
from typing import Any, Tuple

from torch import Tensor

from mmpose_raf.errors import ConfigError

#: Width and height in pixels, in this order, as in MMPose's configs.
Size = Tuple[int, int]


#: The longest side that an image file can have, JPEG's. Pixels.
LONGEST_SIDE = 65535


def is_size(value: Any) -> bool:
    """Whether a value is a size (w, h): two integers of 1 to 65535."""
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(
        isinstance(side, int) and not isinstance(side, bool)
        and 1 <= side <= LONGEST_SIDE for side in value)


def size_of(maps: Tensor) -> Size:
    """Size (w, h) of images or heatmaps in shape (..., H, W)."""
    return maps.shape[-1], maps.shape[-2]


def size_name(size: Size) -> str:
    """A size (w, h) as it is written in logs and tables: ``256x192``, HxW."""
    return f'{size[1]}x{size[0]}'


def parse_size(text: str, field: str) -> Size:
    """Read a size written HxW, such as ``128x96``, as (w, h).

    Raises:
        ConfigError: If it is not written so.
    """
    match = re.fullmatch(r'([1-9]\d*)x([1-9]\d*)', text)
    if match is None:
        raise ConfigError(field, f'got {text!r}',
                          'give height and width as HxW, e.g. 64x48')
    return int(match[2]), int(match[1])
