"""Averages over clients that hold parts of the model."""

from abc import abstractmethod
from typing import Dict, Sequence

import torch
from torch import Tensor

from ..arguments import check_choice
from ..messages import ClientUpdate
from ..state_math import State
from ..submodels import Submodel
from .base import Aggregator
from .fedavg import WEIGHTINGS
from .weighted_average import normalize


class SubmodelAverage(Aggregator):
    """Every entry is averaged over the clients that hold it.

    w[j] = sum_k p_k w_k[j] / sum_k p_k over the clients k whose narrower
    model holds entry j of the tensor; an entry that nobody holds keeps the
    global value. If all hold all, this is :class:`FedAvg`.

    Buffers are averaged so as well. Those of BatchNorm are then means over
    clients whose features differ in scale, which both papers avoid: they keep
    no statistics in training and take them over all data at its end.

    Args:
        weighting (str): p_k: ``'uniform'`` or ``'samples'``, see
            :class:`FedAvg`. Defaults to ``'uniform'``.

    Attributes:
        is_moving (bool): Whether a client holds other parts of the model in
            every round.
        submodels (dict[str, Submodel]): By name of a client what it holds;
            clients that are not in it hold all. Set by who calls.
    """

    takes_submodels = True
    is_moving = False

    def __init__(self, weighting: str = 'uniform'):
        check_choice(weighting, WEIGHTINGS, 'weighting')
        self.weighting = weighting
        self.submodels: Dict[str, Submodel] = {}

    @abstractmethod
    def shift(self, version: int) -> int:
        """How far the window of a round has moved, in channels.

        Args:
            version (int): How often the global weights had been renewed.
        """

    def part_of(self, state: State, client: str, version: int) -> State:
        """What a client is sent, see :class:`Aggregator`."""
        submodel = self.submodels.get(client)
        if submodel is None:
            return state
        return submodel.take(state, self.shift(version))

    def aggregate(self, global_state: Dict[str, Tensor],
                  updates: Sequence[ClientUpdate]) -> Dict[str, Tensor]:
        """Average entry by entry, see :class:`Aggregator`."""
        weights = normalize([
            1. if self.weighting == 'uniform' else update.num_samples
            for update in updates
        ])
        return {
            key: self._merge(key, value, updates, weights)
            for key, value in global_state.items()
        }

    def _merge(self, key: str, before: Tensor,
               updates: Sequence[ClientUpdate],
               weights: Sequence[float]) -> Tensor:
        """The next value of an entry."""
        if not before.is_floating_point():  # see average_states
            return torch.stack([update.state[key]
                                for update in updates]).amax(0)
        dtype = torch.promote_types(before.dtype, torch.float32)
        total = torch.zeros_like(before, dtype=dtype)
        mass = torch.zeros_like(total)
        for update, weight in zip(updates, weights):
            submodel = self.submodels.get(update.client)
            # () picks all.
            held = submodel.held(key, self.shift(
                update.version)) if submodel else ()
            total[held] += weight * update.state[key].to(dtype)
            mass[held] += weight
        return torch.where(mass > 0, total / mass, before).to(before.dtype)


class HeteroFL(SubmodelAverage):
    """HeteroFL (Diao et al., ICLR 2021, arXiv 2010.01264).

    A client of width r holds the leading r of the channels of each layer, in
    every round the same: the others are trained by wider clients alone.

    The paper's Scaler, which divides a layer's output by r in training, is
    left out: the normalisation layers that follow, or that the residual
    stream passes, take the scale away. Masking the loss of absent classes
    has no counterpart in pose estimation.

    Args:
        weighting (str): See :class:`SubmodelAverage`. Defaults to
            ``'uniform'``, the paper's.
    """

    def shift(self, version: int) -> int:
        """None: always the leading channels."""
        return 0


class FedRolex(SubmodelAverage):
    """FedRolex (Alam et al., NeurIPS 2022, arXiv 2212.01548).

    A client of width r holds a window of the channels of each layer, which
    moves on by one channel (by one head in the attention) in every round and
    goes on at the first after the last: all channels are trained by all
    clients, in turn. What clients keep for single weights, moments of the
    optimizer, belongs to the place in the narrow model: use
    ``optimizer_state='reset'`` to begin each round without.

    Args:
        weighting (str): See :class:`SubmodelAverage`. Defaults to
            ``'uniform'``.
    """

    is_moving = True

    def shift(self, version: int) -> int:
        """One channel a round."""
        return version
