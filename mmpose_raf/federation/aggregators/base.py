"""What all aggregators share."""

from abc import ABCMeta, abstractmethod
from typing import Dict, Sequence

from torch import Tensor

from ..client_update import ClientUpdate


class Aggregator(metaclass=ABCMeta):
    """Server side of a round: the clients' updates become global weights."""

    @abstractmethod
    def aggregate(self, global_state: Dict[str, Tensor],
                  updates: Sequence[ClientUpdate]) -> Dict[str, Tensor]:
        """Compute the next global weights.

        Args:
            global_state (dict[str, Tensor]): Weights w_t that the clients
                started from.
            updates (list[ClientUpdate]): One for each client that took part,
                at least one.

        Returns:
            dict[str, Tensor]: Weights w_{t+1} with the same keys.
        """

    def state_dict(self) -> dict:
        """State that a resumed run needs; most aggregators have none."""
        return {}

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
