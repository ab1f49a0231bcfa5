"""Federated averaging."""

from typing import Dict, Sequence

from torch import Tensor

from ..client_update import ClientUpdate
from ..state_math import average_states
from .base import Aggregator

WEIGHTINGS = ('uniform', 'samples')


class FedAvg(Aggregator):
    """FedAvg (McMahan et al., AISTATS 2017): w_{t+1} = sum_i p_i w_i.

    Args:
        weighting (str): ``'uniform'``, p_i = 1/N, as in RAF's paper; or
            ``'samples'``, p_i = n_i / sum_j n_j, as in FedAvg's. Defaults to
            ``'uniform'``.

    Raises:
        ValueError: If ``weighting`` is neither.
    """

    def __init__(self, weighting: str = 'uniform'):
        if weighting not in WEIGHTINGS:
            raise ValueError(f'weighting must be one of {WEIGHTINGS}, but '
                             f'got {weighting!r}')
        self.weighting = weighting

    def aggregate(self, global_state: Dict[str, Tensor],
                  updates: Sequence[ClientUpdate]) -> Dict[str, Tensor]:
        """Average the clients' weights, see :class:`Aggregator`."""
        shares = [
            1 if self.weighting == 'uniform' else update.num_samples
            for update in updates
        ]
        total = sum(shares)
        return average_states([update.state for update in updates],
                              [share / total for share in shares])
