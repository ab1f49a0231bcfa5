"""Narrower models that are cut out of a wider one."""

from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Tuple

import torch
from torch import Tensor

from .errors import FederationError
from .state_math import State

Shapes = Mapping[str, Tuple[int, ...]]


@dataclass(frozen=True)
class Layout:
    """How the channels of a dimension hang together.

    Args:
        blocks (int): Equal parts, each of which is cut alike: 3 for queries,
            keys and values that lie in one matrix. Defaults to 1.
        unit (int): Neighbours that stay together: the channels of an
            attention head. Defaults to 1.
    """

    blocks: int = 1
    unit: int = 1


def held_channels(wide: int,
                  narrow: int,
                  layout: Layout = Layout(),
                  shift: int = 0) -> Tensor:
    """Which channels of a dimension a narrower model holds.

    Args:
        wide (int): Channels of the wide model.
        narrow (int): Channels of the narrow one.
        layout (Layout): How they hang together. Both numbers are multiples
            of ``blocks * unit``.
        shift (int): Units by which the window has moved on; at the end of a
            block it goes on at the block's start. Defaults to 0: the leading
            ones.

    Returns:
        Tensor: Indices in shape (narrow, ), int64, all different.
    """
    size = layout.blocks * layout.unit
    if wide % size or narrow % size or not 0 < narrow <= wide:
        raise FederationError(
            f'of {wide} channels, in {layout.blocks} blocks of units of '
            f'{layout.unit}, {narrow} cannot be held')
    units = wide // size
    window = (torch.arange(narrow // size) + shift) % units
    channels = window[:, None] * layout.unit + torch.arange(layout.unit)
    blocks = torch.arange(layout.blocks)[:, None] * (wide // layout.blocks)
    return (blocks + channels.flatten()).flatten()


class Submodel:
    """Which entries of a wide model's tensors a narrow one holds.

    Both have the same layers. A dimension that is as long in both is held
    whole; of a shorter one the narrow model holds :func:`held_channels`.
    Dimensions of one length and layout thus hold the same channels, so that
    what a layer puts out is what the next one takes in, along residual
    connections too.

    Args:
        wide (dict[str, tuple[int]]): Shape of each entry of the wide model.
        narrow (dict[str, tuple[int]]): Of the narrow one.
        layouts (dict[tuple[str, int], Layout]): By the name of an entry and
            the number of a dimension how its channels hang together, where
            they do.
        indices (dict[str, tuple[int, Layout]]): Entries that the narrow
            model alone has: which channels it holds of a dimension of this
            length and layout. Defaults to none.
        input_dims (dict[str, int]): The dimension of what a layer takes in,
            by the name of its weight, where that is not 1. Defaults to none.

    Raises:
        FederationError: If the narrow model is no part of the wide one.
    """

    def __init__(self,
                 wide: Shapes,
                 narrow: Shapes,
                 layouts: Mapping[Tuple[str, int], Layout],
                 indices: Optional[Dict[str, Tuple[int, Layout]]] = None,
                 input_dims: Optional[Dict[str, int]] = None):
        self.indices = indices or {}
        self.input_dims = input_dims or {}
        self.narrow = narrow
        for key in wide.keys() ^ (narrow.keys() - self.indices.keys()):
            raise FederationError(f'{key!r} is in one of the two models only')
        # For each entry the dimensions that are cut.
        self.cuts: Dict[str, Dict[int, Tuple[int, int, Layout]]] = {}
        for key, shape in wide.items():
            if len(shape) != len(narrow[key]):
                raise FederationError(f'{key!r} has {len(shape)} and '
                                      f'{len(narrow[key])} dimensions')
            self.cuts[key] = {
                dim: (size, part, layouts.get((key, dim), Layout()))
                for dim, (size, part) in enumerate(zip(shape, narrow[key]))
                if size != part
            }
            for size, part, layout in self.cuts[key].values():
                held_channels(size, part, layout)  # can it be cut?

    def held(self, key: str, shift: int = 0) -> Tuple[Tensor, ...]:
        """Where an entry of the narrow model lies in the wide one.

        Args:
            key (str): Name of the entry.
            shift (int): See :func:`held_channels`. Defaults to 0.

        Returns:
            tuple[Tensor]: Indices of all dimensions, shaped so that they
            pick a block of the wide tensor; () if all is held.
        """
        cuts = self.cuts[key]
        if not cuts:
            return ()
        shape = self.narrow[key]
        picked = [
            held_channels(*cuts[dim], shift)
            if dim in cuts else torch.arange(length)
            for dim, length in enumerate(shape)
        ]
        return torch.meshgrid(*picked, indexing='ij')

    def take(self, state: State, shift: int = 0) -> State:
        """Cut the narrow model's state out of the wide one's.

        Args:
            state (dict[str, Tensor]): All or some entries of the wide model.
            shift (int): See :func:`held_channels`. Defaults to 0.

        Returns:
            dict[str, Tensor]: The same entries of the narrow one, and its
            ``indices``.
        """
        part = {
            key: value[self.held(key, shift)] if self.cuts[key] else value
            for key, value in state.items()
        }
        for key, (size, layout) in self.indices.items():
            part[key] = held_channels(size, self.narrow[key][0], layout, shift)
        return part
