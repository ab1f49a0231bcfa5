"""What all weighted means of the clients share."""

from abc import abstractmethod
from typing import Dict, List, Sequence

from torch import Tensor

from ..messages import ClientUpdate
from ..state_math import Weight, average_states
from .base import Aggregator


class WeightedAverage(Aggregator):
    """w_{t+1} = sum_k p_k w_k, with the weights p_k by the subclass.

    All floating-point entries are averaged, buffers included.
    """

    def aggregate(self, global_state: Dict[str, Tensor],
                  updates: Sequence[ClientUpdate]) -> Dict[str, Tensor]:
        """Average the clients' weights, see :class:`Aggregator`."""
        weights = self.weigh(global_state, updates)
        if not isinstance(weights[0], dict):
            self.weights = {
                update.client: weight
                for update, weight in zip(updates, weights)
            }
        return average_states([update.state for update in updates], weights)

    @abstractmethod
    def weigh(self, global_state: Dict[str, Tensor],
              updates: Sequence[ClientUpdate]) -> List[Weight]:
        """Weights p_k of the clients.

        Args:
            global_state (dict[str, Tensor]): See :meth:`aggregate`.
            updates (list[ClientUpdate]): See :meth:`aggregate`.

        Returns:
            list[float] | list[dict[str, float]]: One for each update, or one
            for each entry of it, see :func:`average_states`.
        """


def normalize(values: Sequence[float]) -> List[float]:
    """Scale values >= 0 so that they sum to 1; all alike if all are 0."""
    total = sum(values)
    if not total:
        return [1 / len(values)] * len(values)
    return [value / total for value in values]
