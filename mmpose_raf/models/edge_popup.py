"""Subnetworks of a random network: edge-popup."""

import math
from typing import Iterator, Tuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

#: Modules whose weights are edges.
LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)


class EdgePopup(nn.Module):
    """A parametrization of a weight tensor that trains which of its entries
    are used (Ramanujan et al., CVPR 2020, arXiv 1911.13299).

    The weight is W m(s): W is fixed, m(s) is 1 for the ``keep`` share of
    edges with the highest scores s and 0 for the others. Gradients pass m as
    if it were the identity: dL/ds = W dL/d(W m).

    Args:
        shape (tuple[int]): Shape of the weight.
        keep (float): Share of the edges that is used, in (0, 1].
    """

    def __init__(self, shape: Tuple[int, ...], keep: float):
        super().__init__()
        self.scores = nn.Parameter(torch.empty(shape))
        self.num_kept = max(1, round(keep * math.prod(shape)))

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with the edges that are used."""
        return weight * _Mask.apply(self.scores, self.num_kept)


class _Mask(torch.autograd.Function):

    @staticmethod
    def forward(ctx, scores, num_kept):
        mask = torch.zeros_like(scores)
        best = scores.flatten().topk(num_kept).indices
        mask.view(-1)[best] = 1
        return mask

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def parametrize_edges(model: nn.Module, keep: float):
    """Give all linear and convolutional layers an :class:`EdgePopup`.

    Everything else of the model, biases and normalisation among them, is
    frozen as well.

    Args:
        model (nn.Module): The model, changed in place.
        keep (float): See :class:`EdgePopup`.
    """
    model.requires_grad_(False)
    for layer in layers_of(model):
        parametrize.register_parametrization(
            layer, 'weight', EdgePopup(layer.weight.shape, keep))


def draw_edges(model: nn.Module, keep: float):
    """Draw the fixed weights and the first scores.

    Weights are signed Kaiming constants, +-sqrt(2 / (keep fan_in)) with equal
    odds, biases 0. Scores are uniform in +-1 / sqrt(fan_in). Normalisation
    multiplies by 1 and adds 0: a residual branch that begins with 0, as a
    ResNet's may, would stay so.

    Args:
        model (nn.Module): What :func:`parametrize_edges` has changed.
        keep (float): See :class:`EdgePopup`.
    """
    for layer in layers_of(model):
        weight = layer.parametrizations.weight
        fan_in = math.prod(weight.original.shape[1:])
        if isinstance(layer, nn.ConvTranspose2d):
            # Of its kernel, an output pixel sees the share that strides
            # leave.
            fan_in = weight.original.shape[0] * math.prod(
                weight.original.shape[2:]) / math.prod(layer.stride)
        with torch.no_grad():
            signs = torch.randint_like(weight.original, 2) * 2 - 1
            weight.original.copy_(signs * math.sqrt(2 / (keep * fan_in)))
            weight[0].scores.uniform_(-fan_in**-.5, fan_in**-.5)
            if layer.bias is not None:
                layer.bias.zero_()
    for layer in model.modules():
        if isinstance(layer, NORMS) and layer.weight is not None:
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)


def layers_of(model: nn.Module) -> Iterator[nn.Module]:
    """The layers of a model that have edges."""
    return (layer for layer in model.modules() if isinstance(layer, LAYERS))
