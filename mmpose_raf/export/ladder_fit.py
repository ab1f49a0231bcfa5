"""Inputs beyond a model's ladder, resized inside a graph."""

from math import gcd
from typing import Sequence

import torch
from torch import Tensor, nn

from mmpose_raf.models.ladder import resample
from mmpose_raf.sizes import Size


class LadderFit(nn.Module):
    """Resizes as ``test_cfg.fit_to_ladder`` does in MMPose, for UDP codecs.

    :func:`mmpose_raf.models.ladder.fit_size` in arithmetic that a graph can
    hold: without branches, and so that torch.export sees that sides stay
    multiples of the patch.

    Args:
        levels (list[tuple[int, int]]): Sizes (w, h), from high to low.
        multiple (int): What divides both sides of every input.
    """

    def __init__(self, levels: Sequence[Size], multiple: int):
        super().__init__()
        self.unit = gcd(multiple, *levels[0], *levels[-1])
        self.highest = [side // self.unit for side in levels[0]]
        self.lowest = [side // self.unit for side in levels[-1]]

    def forward(self, images: Tensor) -> Tensor:
        """Fit images (B, 3, H, W) to the levels."""
        height, width = (side // self.unit for side in images.shape[-2:])
        size = self._clamp(0, width, width, height), self._clamp(
            1, height, width, height)
        return resample(images, size, use_udp=True)

    def _clamp(self, axis: int, side: int, width: int, height: int) -> int:
        """A side in pixels, within the levels if the aspect ratio is that of
        its end."""
        low, high = self.lowest, self.highest
        below = torch.sym_max(0, low[axis] - side)
        above = torch.sym_max(0, side - high[axis])
        return self.unit * (side + below * _is_alike(width, height, low) -
                            above * _is_alike(width, height, high))


def _is_alike(width: int, height: int, level: Sequence[int]) -> int:
    """1 if a size has the aspect ratio of a level, else 0."""
    difference = width * level[1] - height * level[0]
    return 1 - torch.sym_min(1, torch.sym_max(difference, -difference))
