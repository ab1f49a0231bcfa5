"""Aggregation by the clients' training losses."""

import math
from typing import Dict, List, Optional, Sequence

from torch import Tensor

from ..messages import ClientUpdate
from ..arguments import check_count
from ..errors import FederationError
from .weighted_average import WeightedAverage, normalize


class LossAware(WeightedAverage):
    """Loss-aware aggregation of FedVSR (arXiv 2503.13745).

    p_k = (1 / L_k)^s_t / sum_j (1 / L_j)^s_t with s_t = max(0, 1 - t / T) in
    round t = 0, 1, ...: at first clients with a low loss L_k lead, at last
    the mean is uniform. L_k is the mean training loss of the round,
    ``metrics['loss']`` of the update; where it is not finite, p_k = 0.
    Buffers are averaged with the same weights.

    Args:
        num_rounds (int): T, rounds until the mean is uniform, >= 1; the
            rounds of the whole training in the paper.
    """

    def __init__(self, num_rounds: int):
        check_count(num_rounds, 'num_rounds')
        self.num_rounds = num_rounds
        self.round = 0

    def aggregate(self, global_state: Dict[str, Tensor],
                  updates: Sequence[ClientUpdate]) -> Dict[str, Tensor]:
        """Average the clients' weights, see :class:`Aggregator`."""
        result = super().aggregate(global_state, updates)
        self.round += 1
        return result

    def find_fault(self, update: ClientUpdate) -> Optional[str]:
        """Whether it tells a loss > 0, see :class:`Aggregator`."""
        loss = update.metrics.get('loss')
        # NaN gets no weight.
        return 'it tells no loss > 0' if loss is None or loss <= 0 else None

    def weigh(self, global_state: Dict[str, Tensor],
              updates: Sequence[ClientUpdate]) -> List[float]:
        """Weights p_k of this round."""
        losses = [_loss_of(update) for update in updates]
        exponent = max(0., 1 - self.round / self.num_rounds)
        # Relative to the lowest, as 1 / L_k may overflow.
        lowest = min((loss for loss in losses if math.isfinite(loss)),
                     default=1.)
        return normalize([(lowest / loss)**exponent
                          if math.isfinite(loss) else 0. for loss in losses])

    def state_dict(self) -> dict:
        """The number of rounds so far."""
        return dict(round=self.round)

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
        self.round = state_dict['round']


def _loss_of(update: ClientUpdate) -> float:
    loss = update.metrics.get('loss')
    if loss is None or loss <= 0:
        raise FederationError("LossAware needs a metrics['loss'] > 0 of "
                         f'client {update.client}, but got {loss!r}')
    return loss
