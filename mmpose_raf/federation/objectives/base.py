"""What all local objectives share."""

from abc import ABCMeta, abstractmethod
from typing import Dict, Sequence

from torch import Tensor

from ..client_update import ClientUpdate
from ..state_math import State


class LocalObjective(metaclass=ABCMeta):
    """Client side of a round: what is added to the local loss.

    Its gradient is added to that of the loss before each step of the
    client's optimizer. Between the rounds it keeps a state for each client
    (``clients``) and one of the server (``server``), all by the names of the
    parameters.

    A round calls, for each client that takes part, :meth:`gradient` before
    each step and :meth:`finish_client`, and at last :meth:`finish_round`.
    States lie on the device of the parameters that they were made of; who
    calls may move them in between.
    """

    def __init__(self):
        self.clients: Dict[str, State] = {}
        self.server: State = {}

    @abstractmethod
    def gradient(self, client: str, parameters: State,
                 anchor: State) -> State:
        """Gradient of what is added to the loss.

        Args:
            client (str): Name of the client.
            parameters (dict[str, Tensor]): Its parameters now.
            anchor (dict[str, Tensor]): Parameters that it started from.

        Returns:
            dict[str, Tensor]: What to add to the gradient of each parameter.
        """

    def finish_client(self, client: str, parameters: State, anchor: State,
                      lr_sums: Dict[str, float]):
        """End the local training of a client.

        Args:
            client (str): Its name.
            parameters (dict[str, Tensor]): Its parameters at the end.
            anchor (dict[str, Tensor]): Parameters that it started from.
            lr_sums (dict[str, float]): For each parameter the sum of its
                learning rates over the steps, K eta if it is constant.
        """

    def finish_round(self, previous: Dict[str, Tensor],
                     aggregated: Dict[str, Tensor],
                     updates: Sequence[ClientUpdate],
                     num_clients: int) -> Dict[str, Tensor]:
        """End a round, after the aggregation.

        Args:
            previous (dict[str, Tensor]): Global weights that the clients
                started from.
            aggregated (dict[str, Tensor]): What the aggregator gave.
            updates (list[ClientUpdate]): Of those that took part.
            num_clients (int): Clients of the federation, absent ones too.

        Returns:
            dict[str, Tensor]: The next global weights.
        """
        return aggregated

    def state_dict(self) -> dict:
        """State that a resumed run needs."""
        return dict(clients=self.clients, server=self.server)

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
        self.clients = state_dict['clients']
        self.server = state_dict['server']
