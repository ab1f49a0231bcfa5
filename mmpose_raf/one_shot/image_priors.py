"""What makes an image likely, without any data."""

from contextlib import contextmanager
from typing import Iterator, List, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def total_variation(images: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, a scalar.

    Args:
        images (Tensor): In shape (B, 3, H, W).
    """
    return images.diff(dim=-1).square().mean() + images.diff(
        dim=-2).square().mean()


class NormStatistics:
    """How far batches are from what BatchNorm layers have seen in training.

    The feature prior of DeepInversion (Yin et al., CVPR 2020, arXiv
    1912.08795): for each layer with running statistics the squared distances
    of the batch's mean and variance from them, here in units of the running
    variance and averaged over channels and layers, so that its weight does
    not depend on the model.

    Args:
        models (list[nn.Module]): The models, in evaluation mode.
    """

    def __init__(self, models: Sequence[nn.Module]):
        self.layers = [
            module for model in models for module in model.modules()
            if isinstance(module, _BatchNorm)
            and module.running_mean is not None
        ]

    @contextmanager
    def watching(self) -> Iterator[List[Tensor]]:
        """While open, each forward pass adds the distances of its layers.

        Yields:
            list[Tensor]: Scalars, one for each layer that was run.
        """
        distances: List[Tensor] = []

        def measure(module, args):
            distances.append(_distance(module, args[0]))

        handles = [
            layer.register_forward_pre_hook(measure) for layer in self.layers
        ]
        try:
            yield distances
        finally:
            for handle in handles:
                handle.remove()


def _distance(layer: nn.Module, features: Tensor) -> Tensor:
    axes = [axis for axis in range(features.dim()) if axis != 1]
    variance, mean = torch.var_mean(features, axes, correction=0)
    scale = layer.running_var + layer.eps
    return ((mean - layer.running_mean).square() / scale +
            (variance / scale - layer.running_var / scale).square()).mean()
