"""The clients' models side by side."""

from typing import List, Sequence

import torch
from torch import Tensor, nn

from mmpose_raf.models.image_heatmaps import heatmaps_of
from mmpose_raf.models.ladder import resample
from mmpose_raf.sizes import Size, size_of


class Ensemble:
    """Means of what the models of clients say.

    At each size those speak that have trained at it; at a size that nobody
    has trained at, those that have at the nearest (by area).

    Args:
        models (list[nn.Module]): One pose estimator for each client. They
            are frozen, and in evaluation mode from now on.
        sizes (list[list[tuple[int, int]]]): At which input sizes (w, h) each
            was trained.
        use_udp (bool): How images are resized, see :func:`resample`.
    """

    def __init__(self, models: Sequence[nn.Module],
                 sizes: Sequence[Sequence[Size]], use_udp: bool):
        self.models = [model.eval().requires_grad_(False) for model in models]
        self.sizes = [list(own) for own in sizes]
        self.use_udp = use_udp

    def members(self, size: Size) -> List[nn.Module]:
        """Models that speak at an input size (w, h)."""
        area = size[0] * size[1]

        def distance(other: Size) -> float:
            ratio = other[0] * other[1] / area
            return max(ratio, 1 / ratio)

        nearest = min((other for own in self.sizes for other in own),
                      key=lambda other: (other != size, distance(other)))
        return [
            model for model, own in zip(self.models, self.sizes)
            if nearest in own
        ]

    def heatmaps(self, images: Tensor, size: Size) -> Tensor:
        """The mean heatmaps, with gradient to the images.

        Args:
            images (Tensor): In shape (B, 3, H, W), in [0, 255].
            size (tuple[int, int]): Input size (w, h) at which they are
                shown.

        Returns:
            Tensor: In shape (B, K, h, w).
        """
        shown = images if size_of(images) == size else resample(
            images, size, self.use_udp)
        members = self.members(size)
        return torch.stack([heatmaps_of(model, shown)
                            for model in members]).mean(0)
