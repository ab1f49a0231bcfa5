"""What all local objectives share."""

from abc import ABCMeta
from typing import Dict, List, Optional, Sequence

import torch
from torch import Tensor

from ..client_update import ClientUpdate
from ..state_math import State, put_state


class LocalObjective(metaclass=ABCMeta):
    """Client side of a round: what is added to the local loss.

    It is given as a gradient, which is added to that of the loss before each
    step of the client's optimizer (:meth:`gradient`), or as a loss on pooled
    features (:meth:`feature_loss`); a subclass implements one of them or
    both. Between the rounds it keeps a state for each client (``clients``)
    and one of the server (``server``), by the names of a model's state dict;
    within a round, what each client has sent beside its weights
    (``uploads``).

    A round calls, for each client that takes part, :meth:`gradient` before
    each step and :meth:`finish_client`, and at last :meth:`finish_round`.
    States lie on the device of the weights that they were made of; who calls
    may :meth:`move` them in between.

    Attributes:
        needs_updates (bool): Whether :meth:`finish_round` looks at the
            single updates: True by default where there is one.
        feature_module (str, optional): Name of the submodule whose output,
            averaged over the image, :meth:`feature_loss` compares.
        is_asynchronous (bool): Whether it makes sense where updates arrive
            one by one: False by default where there is a
            :meth:`finish_round`.
    """

    feature_module: Optional[str] = None
    needs_updates = False
    is_asynchronous = True

    def __init_subclass__(cls):
        if 'finish_round' in vars(cls):  # unless the subclass knows better
            cls.needs_updates = vars(cls).get('needs_updates', True)
            cls.is_asynchronous = vars(cls).get('is_asynchronous', False)

    def __init__(self):
        self.clients: Dict[str, State] = {}
        self.server: State = {}
        self.uploads: Dict[str, State] = {}

    def gradient(self, client: str, parameters: State,
                 anchor: State) -> State:
        """Gradient of what is added to the loss.

        Args:
            client (str): Name of the client.
            parameters (dict[str, Tensor]): Its trained parameters now.
            anchor (dict[str, Tensor]): The same as it started from.

        Returns:
            dict[str, Tensor]: What to add to the gradient of each parameter;
            empty if nothing is.
        """
        return {}

    def references(self, client: str, anchor: State) -> List[State]:
        """Weights whose features :meth:`feature_loss` compares with.

        Args:
            client (str): Name of the client.
            anchor (dict[str, Tensor]): Weights and buffers that it started
                from.

        Returns:
            list[dict[str, Tensor]]: Weights and buffers, of
            ``feature_module`` at least; empty if there is nothing to compare
            with yet.
        """
        return []

    def feature_loss(self, features: Tensor,
                     references: Sequence[Tensor]) -> Tensor:
        """A loss on the features of a batch.

        Args:
            features (Tensor): Pooled features of the client's model now, in
                shape (B, C).
            references (list[Tensor]): Those of the same images with the
                weights of :meth:`references`, without gradient.

        Returns:
            Tensor: A scalar that is added to the loss.
        """
        raise NotImplementedError

    def finish_client(self, client: str, state: State, anchor: State,
                      lr_sums: Dict[str, float]):
        """End the local training of a client.

        What it sends to the server beside its weights goes to ``uploads``,
        under its name; :meth:`finish_round` finds it there, after which it is
        forgotten. Clients may train in other processes: nothing else of
        theirs is sure to be there.

        Args:
            client (str): Its name.
            state (dict[str, Tensor]): Its weights and buffers at the end.
            anchor (dict[str, Tensor]): Those that it started from.
            lr_sums (dict[str, float]): For each trained parameter the sum of
                its learning rates over the steps, K eta if it is constant.
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

    def download(self) -> State:
        """What the server sends to a client beside the weights."""
        return {}

    def move(self, client: str, device: torch.device):
        """Put what the training of a client needs on a device."""
        self.server = put_state(self.server, device)
        for states in (self.clients, self.uploads):
            if client in states:
                states[client] = put_state(states[client], device)

    def state_dict(self) -> dict:
        """State that a resumed run needs."""
        return dict(clients=self.clients, server=self.server)

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
        self.clients = state_dict['clients']
        self.server = state_dict['server']
