"""Aggregators that a minority of broken or hostile clients cannot steer.

They look at every floating-point entry, buffers included: BatchNorm's
statistics can be poisoned as well.
"""

from abc import abstractmethod
from typing import Dict, List, Sequence

import torch
from torch import Tensor

from ..messages import ClientUpdate
from ..state_math import average_states, merge_states, squared_distances
from ..arguments import check_count
from ..errors import FederationError
from .base import Aggregator

# Above it torch's sort is faster (measured on a CPU).
MAX_COMPARED = 16


class _CoordinateRule(Aggregator):
    """Merges the clients' values coordinate by coordinate."""

    def aggregate(self, global_state: Dict[str, Tensor],
                  updates: Sequence[ClientUpdate]) -> Dict[str, Tensor]:
        """Merge the clients' weights, see :class:`Aggregator`."""
        return merge_states([update.state for update in updates], self.merge)

    @abstractmethod
    def merge(self, stacked: Tensor) -> Tensor:
        """Merge values (N, ...) of N clients to (...)."""


def order_clients(stacked: Tensor) -> Tensor:
    """Sort values (N, ...) of N clients by size.

    Few are sorted by comparing neighbours (odd-even transposition sort), N
    passes over whole tensors: faster than a sort of N values at each place,
    and its indices would take twice the memory of the values.
    """
    count = len(stacked)
    if count > MAX_COMPARED:
        return stacked.sort(dim=0).values
    rows = list(stacked.unbind())
    for start in range(count):
        for i in range(start % 2, count - 1, 2):
            rows[i], rows[i + 1] = (torch.minimum(rows[i], rows[i + 1]),
                                    torch.maximum(rows[i], rows[i + 1]))
    return torch.stack(rows)


class CoordinateMedian(_CoordinateRule):
    """Coordinate-wise median (Yin et al., ICML 2018).

    Of an even number of clients the mean of the middle two.
    """

    def merge(self, stacked: Tensor) -> Tensor:
        """See the class."""
        ordered = order_clients(stacked)
        count = len(stacked)
        return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2


class TrimmedMean(_CoordinateRule):
    """Coordinate-wise trimmed mean (Yin et al., ICML 2018).

    Of each coordinate the ``trim`` largest and smallest values are left out.

    Args:
        trim (int): Values left out at each end, >= 1: the number of broken
            clients that is to be borne. There must be more than twice as
            many clients in a round. Defaults to 1.
    """

    def __init__(self, trim: int = 1):
        check_count(trim, 'trim')
        self.trim = trim
        self.min_clients = 2 * trim + 1

    def merge(self, stacked: Tensor) -> Tensor:
        """See the class."""
        if len(stacked) < self.min_clients:
            raise FederationError(
                f'TrimmedMean(trim={self.trim}) needs more than '
                f'{2 * self.trim} clients in a round, got {len(stacked)}')
        ordered = order_clients(stacked)
        return ordered[self.trim:len(stacked) - self.trim].mean(0)


class MultiKrum(Aggregator):
    """Multi-Krum (Blanchard et al., NeurIPS 2017).

    The score of a client is the sum of its squared distances to its n - f - 2
    nearest neighbours; the ``keep`` clients with the lowest are averaged.

    Args:
        num_broken (int): f, the number of broken clients that is to be
            borne, >= 1; n >= 2 f + 3 clients are needed in a round. Defaults
            to 1.
        keep (int): How many are averaged, >= 1. Defaults to 2.
    """

    def __init__(self, num_broken: int = 1, keep: int = 2):
        check_count(num_broken, 'num_broken')
        check_count(keep, 'keep')
        self.num_broken = num_broken
        self.keep = keep
        self.min_clients = 2 * num_broken + 3

    def aggregate(self, global_state: Dict[str, Tensor],
                  updates: Sequence[ClientUpdate]) -> Dict[str, Tensor]:
        """Average the chosen clients' weights, see :class:`Aggregator`."""
        chosen = self.choose(updates)
        return average_states([updates[i].state for i in chosen],
                              [1 / len(chosen)] * len(chosen))

    def choose(self, updates: Sequence[ClientUpdate]) -> List[int]:
        """Indices of the clients with the lowest scores, best first."""
        count = len(updates)
        if count < self.min_clients:
            raise FederationError(
                f'{type(self).__name__}(num_broken={self.num_broken}) needs '
                f'{self.min_clients} clients in a round, got {count}')
        states = [{
            key: value
            for key, value in update.state.items()
            if value.is_floating_point()
        } for update in updates]
        distances = squared_distances(states)
        nearest = distances.fill_diagonal_(torch.inf).sort(dim=1).values
        scores = nearest[:, :count - self.num_broken - 2].sum(1)
        return scores.argsort(stable=True)[:self.keep].tolist()


class Krum(MultiKrum):
    """Krum (Blanchard et al., NeurIPS 2017): the one client with the lowest
    score, see :class:`MultiKrum`.

    Args:
        num_broken (int): See :class:`MultiKrum`. Defaults to 1.
    """

    def __init__(self, num_broken: int = 1):
        super().__init__(num_broken, keep=1)
