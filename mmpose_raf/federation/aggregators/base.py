"""What all aggregators share."""

from abc import ABCMeta, abstractmethod
from typing import Callable, Dict, Optional, Sequence

from torch import Tensor

from ..messages import ClientUpdate


class Aggregator(metaclass=ABCMeta):
    """Server side of a round: the clients' updates become global weights.

    Attributes:
        proxy_samples (int): How many training samples the server must hold,
            if it judges weights by a loss on them; 0 if not.
        is_asynchronous (bool): Whether it is made for single updates that
            are merged as they arrive, however old the weights that they
            started from, and not for those of a round together.
        is_foldable (bool): Whether one update with the mean of the others'
            weights, by ``weight_of``, can stand for all, see
            :class:`FedAvg`. A subclass that looks at single updates says
            False.
        takes_submodels (bool): Whether clients may hold parts of the model:
            what each is sent and sends back is then narrower, see
            :meth:`part_of`.
        min_clients (int): Updates that it needs at least.
        weights (dict[str, float]): What each client counted for in the last
            round, where that is one number each; for the log.
        distribution (str, optional): Which of the clients'
            ``ClientUpdate.distributions`` it looks at.
        proxy_loss (callable, optional): From weights (and buffers) to that
            loss, a scalar tensor that gradients flow through; set by who
            calls, if it needs ``proxy_samples``.
    """

    proxy_samples = 0
    is_asynchronous = False
    is_foldable = False
    takes_submodels = False
    min_clients = 1
    weights: Dict[str, float] = {}
    distribution: Optional[str] = None
    proxy_loss: Optional[Callable[[Dict[str, Tensor]], Tensor]] = None

    def find_fault(self, update: ClientUpdate) -> Optional[str]:
        """Why :meth:`aggregate` cannot use an update; None if it can.

        The server asks before it takes the update, whose sender may be broken
        or hostile.

        Args:
            update (ClientUpdate): The update. Its weights fit.
        """
        return None

    def part_of(self, state: Dict[str, Tensor], client: str,
                version: int) -> Dict[str, Tensor]:
        """What a client is sent of the global weights.

        Args:
            state (dict[str, Tensor]): The global weights, or some entries.
            client (str): Its name.
            version (int): How often they had been renewed.

        Returns:
            dict[str, Tensor]: All of them, unless it ``takes_submodels``.
        """
        return state

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
