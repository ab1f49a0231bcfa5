"""Federated averaging."""

from typing import Dict, List, Sequence

from torch import Tensor

from ..messages import ClientUpdate
from ..arguments import check_choice
from .weighted_average import WeightedAverage, normalize

WEIGHTINGS = ('uniform', 'samples')


class FedAvg(WeightedAverage):
    """FedAvg (McMahan et al., AISTATS 2017): w_{t+1} = sum_i p_i w_i.

    Args:
        weighting (str): ``'uniform'``, p_i = 1/N, as in RAF's paper; or
            ``'samples'``, p_i = n_i / sum_j n_j, as in FedAvg's. Defaults to
            ``'uniform'``.

    Raises:
        ValueError: If ``weighting`` is neither.
    """

    is_foldable = True

    def __init__(self, weighting: str = 'uniform'):
        check_choice(weighting, WEIGHTINGS, 'weighting')
        self.weighting = weighting

    def weigh(self, global_state: Dict[str, Tensor],
              updates: Sequence[ClientUpdate]) -> List[float]:
        """Weights p_i."""
        return normalize([self.weight_of(update) for update in updates])

    def weight_of(self, update: ClientUpdate) -> float:
        """Weight of an update, up to the factor that all have in common."""
        return 1 if self.weighting == 'uniform' else update.num_samples
