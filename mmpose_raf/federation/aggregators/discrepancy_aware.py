"""Aggregation by how far the clients' data is from a target."""

from typing import Dict, List, Optional, Sequence

import torch
from torch import Tensor

from ..messages import ClientUpdate
from ..arguments import check_choice, check_finite, check_not_negative
from ..errors import FederationError
from .weighted_average import WeightedAverage, normalize

DISTRIBUTIONS = ('resolution', 'keypoint')
TARGETS = ('uniform', 'mean')


class DiscrepancyAware(WeightedAverage):
    """FedDisco (Ye et al., ICML 2023, arXiv 2305.19229).

    p_k = ReLU(n_k - a d_k + b) / sum_j ReLU(n_j - a d_j + b) with n_k the
    client's share of the round's samples and d_k = ||D_k - T||_2 the
    discrepancy between the distribution D_k of its samples, in shape (B, ),
    and a target T. Where the paper counts classes, we count resolutions or
    visible keypoints. If all numerators are 0, p_k = n_k: so it is, with the
    default a, among a few clients of one resolution each, whose d_k is near
    1. Buffers are averaged with the same weights.

    Args:
        distribution (str): Which of the updates' ``distributions`` is D_k:
            ``'resolution'`` or ``'keypoint'``. Defaults to
            ``'resolution'``.
        a (float): Weight of the discrepancy, >= 0. Defaults to 0.5, as in the
            authors' code.
        b (float): What every client gets besides; the larger, the closer to
            the uniform mean. Defaults to 0.1, as in the authors' code.
        target (str): T is the ``'uniform'`` distribution, or the ``'mean'``
            of all D_k, weighted by n_k: what all clients together hold.
            Defaults to ``'uniform'``.
    """

    def __init__(self,
                 distribution: str = 'resolution',
                 a: float = 0.5,
                 b: float = 0.1,
                 target: str = 'uniform'):
        check_choice(distribution, DISTRIBUTIONS, 'distribution')
        check_choice(target, TARGETS, 'target')
        check_not_negative(a, 'a')
        check_finite(b, 'b')
        self.distribution = distribution
        self.a, self.b = a, b
        self.target = target

    def find_fault(self, update: ClientUpdate) -> Optional[str]:
        """Whether it tells its distribution, see :class:`Aggregator`."""
        if self.distribution in update.distributions:
            return None
        return f'it does not tell its distribution by {self.distribution}'

    def weigh(self, global_state: Dict[str, Tensor],
              updates: Sequence[ClientUpdate]) -> List[float]:
        """Weights p_k."""
        sizes = torch.tensor(
            normalize([update.num_samples for update in updates]),
            dtype=torch.float64)
        distributions = self._stack(updates)
        if self.target == 'mean':
            target = sizes @ distributions
        else:
            target = 1 / distributions.shape[1]
        discrepancies = (distributions - target).norm(dim=1)
        adjusted = (sizes - self.a * discrepancies + self.b).relu()
        return normalize((adjusted if adjusted.any() else sizes).tolist())

    def _stack(self, updates: Sequence[ClientUpdate]) -> Tensor:
        """The D_k of all clients, in shape (N, B)."""
        rows = []
        for update in updates:
            row = update.distributions.get(self.distribution)
            if row is None:
                raise FederationError(
                    f'DiscrepancyAware needs distributions'
                    f'[{self.distribution!r}] of client {update.client}, '
                    f'but it has {sorted(update.distributions)}')
            rows.append(row)
            if len(row) != len(rows[0]):
                raise FederationError(
                    f'distributions[{self.distribution!r}] of client '
                    f'{update.client} has {len(row)} shares, but that of '
                    f'{updates[0].client} has {len(rows[0])}')
        return torch.tensor(rows, dtype=torch.float64)
