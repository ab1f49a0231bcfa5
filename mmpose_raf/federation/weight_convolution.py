"""Convolutions over the channels of weight tensors."""

from typing import Dict, List, Sequence, Tuple

import torch
from torch import Tensor
from torch.nn import functional as F

from .errors import FederationError
from .submodels import Layout

# Of a dimension that is cut: its length, that of the part, and its layout.
Cut = Tuple[int, int, Layout]
_CONVOLUTIONS = {1: (F.conv1d, F.conv_transpose1d),
                 2: (F.conv2d, F.conv_transpose2d)}


class WeightConvolution:
    """Makes a tensor of fewer channels of another one, and the way back.

    t units that lie side by side (channels, or what a layout keeps together)
    become one by a convolution of kernel and stride t along each dimension
    that is cut, with one kernel for the whole tensor. The transposed
    convolution makes t of one.

    The first kernels keep what a network computes: channels that a layer
    puts out are averaged, those that it takes in are added up; enlarged, the
    first are copied, the others shared out. To enlarge and then to narrow
    changes nothing.

    Args:
        cuts (dict[int, Cut]): By their number the dimensions that are cut,
            one or two.
        input_dim (int): The dimension of what the layer takes in.

    Raises:
        FederationError: If a part is not 1/t of the whole, or three
            dimensions are cut.
    """

    def __init__(self, cuts: Dict[int, Cut], input_dim: int):
        self.cuts = cuts
        self.input_dim = input_dim
        if len(cuts) not in _CONVOLUTIONS:
            raise FederationError(f'{len(cuts)} dimensions are cut, not one '
                                  'or two')
        self.strides = []
        for wide, narrow, _ in cuts.values():
            if wide % narrow:
                raise FederationError(f'{narrow} of {wide} channels are no '
                                      'whole fraction: FedConv needs a width '
                                      'of 1/2, 1/3, ...')
            self.strides.append(wide // narrow)

    def first_kernel(self, is_transposed: bool) -> Tensor:
        """The kernel to begin with, in shape (1, 1, t) or (1, 1, t, t).

        Args:
            is_transposed (bool): Whether it is that of the way back.
        """
        weights = []
        for dim, stride in zip(self.cuts, self.strides):
            shares = (dim == self.input_dim) == is_transposed
            value = 1 / stride if shares else 1.
            weights.append(torch.full((stride, ), value))
        kernel = weights[0] if len(weights) == 1 else torch.outer(*weights)
        return kernel[None, None]

    def narrow(self, tensor: Tensor, kernel: Tensor) -> Tensor:
        """The part of a wide tensor, differentiable."""
        return self._apply(_CONVOLUTIONS[len(self.cuts)][0], tensor, kernel)

    def enlarge(self, tensor: Tensor, kernel: Tensor) -> Tensor:
        """A wide tensor of a narrow one, differentiable."""
        return self._apply(_CONVOLUTIONS[len(self.cuts)][1], tensor, kernel)

    def _apply(self, convolve, tensor: Tensor, kernel: Tensor) -> Tensor:
        shape: List[int] = []
        places = []
        for dim, length in enumerate(tensor.shape):
            if dim not in self.cuts:
                shape.append(length)
                continue
            layout = self.cuts[dim][2]
            places.append(len(shape) + 1)
            shape += [layout.blocks, -1, layout.unit]
            shape[-2] = length // (layout.blocks * layout.unit)
        ends = list(range(-len(places), 0))
        units = tensor.reshape(shape).movedim(places, ends)
        rest = units.shape[:-len(places)]
        units = units.reshape(-1, 1, *units.shape[-len(places):])
        changed = convolve(
            units, kernel.to(tensor), stride=tuple(self.strides))
        changed = changed.reshape(*rest, *changed.shape[2:])
        changed = changed.movedim(ends, places)
        return changed.reshape(self._merged(changed.shape, tensor.dim()))

    def _merged(self, split: Sequence[int], num_dims: int) -> List[int]:
        """The shape whose cut dimensions are in one piece again."""
        left, shape = list(split), []
        for dim in range(num_dims):
            if dim in self.cuts:
                blocks, units, unit = left[:3]
                del left[:3]
                shape.append(blocks * units * unit)
            else:
                shape.append(left.pop(0))
        return shape
