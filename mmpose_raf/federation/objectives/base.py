"""What all local objectives share."""

from abc import ABCMeta
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Tuple

from torch import Tensor

from ..messages import ClientUpdate, FreshWeights, TrainRequest
from ..state_math import State


@dataclass
class TrainingStart:
    """What a client's local training starts from.

    Args:
        anchor (dict[str, Tensor]): The global weights and buffers.
        memory (dict[str, Tensor]): What the objective has kept for this
            client since its last training; empty before the first.
        download (dict[str, Tensor]): What the server has sent beside the
            weights.
        notes (dict[str, Tensor]): What the objective has written down in
            this training; empty at first.
    """

    anchor: State
    memory: State = field(default_factory=dict)
    download: State = field(default_factory=dict)
    notes: State = field(default_factory=dict)


class LocalObjective(metaclass=ABCMeta):
    """What is added to the loss of the clients.

    It is given as a gradient, which is added to that of the loss before each
    step of the client's optimizer (:meth:`gradient`), or as a loss on pooled
    features (:meth:`feature_loss`) or on those of inner layers
    (:meth:`layer_loss`); a subclass implements one or more of them.

    The client's side keeps nothing in the object: what it needs comes with a
    :class:`TrainingStart`, what it wants to remember and to send goes out of
    :meth:`finish_client`. The server's side (:meth:`download`,
    :meth:`finish_round`) keeps ``server``, by the names of a model's state
    dict. Between the two lies whatever connects them.

    Attributes:
        needs_updates (bool): Whether :meth:`finish_round` looks at the
            weights of the single updates.
        is_asynchronous (bool): Whether it makes sense where updates arrive
            one by one.
        takes_submodels (bool): Whether clients may hold parts of the model:
            its client's side has the narrower ones, and its server's side
            looks at no weights.
        is_observing (bool): Whether :meth:`observe` is to be called.
        refresh_at (float, optional): The share of a client's local training,
            in [0, 1), after which it asks the server for the weights of that
            moment, see :meth:`take_in`; None if it does not. Needs an
            asynchronous aggregator: only there can they be newer.
        feature_module (str, optional): Name of the submodule whose output,
            averaged over the image, :meth:`feature_loss` compares.
        feature_layers (tuple[str]): Names or shell patterns of submodules of
            it, whose outputs as they are :meth:`layer_loss` compares instead;
            empty if there are none.
    """

    needs_updates = False
    is_asynchronous = True
    takes_submodels = False
    is_observing = False
    refresh_at: Optional[float] = None
    feature_module: Optional[str] = None
    feature_layers: Sequence[str] = ()

    def __init__(self):
        self.server: State = {}

    def gradient(self, parameters: State, start: TrainingStart) -> State:
        """Gradient of what is added to the loss.

        Args:
            parameters (dict[str, Tensor]): The trained parameters now.
            start (TrainingStart): Its ``anchor`` has other entries as well.

        Returns:
            dict[str, Tensor]: What to add to the gradient of each parameter;
            empty if nothing is.
        """
        return {}

    def observe(self, parameters: State, gradients: State,
                start: TrainingStart):
        """See a step of the optimizer before :meth:`gradient` adds to it.

        Args:
            parameters (dict[str, Tensor]): See :meth:`gradient`.
            gradients (dict[str, Tensor]): Gradient of the loss, after
                clipping, of each parameter; not to be kept.
            start (TrainingStart): Where to write down what is wanted later,
                in its ``notes``.
        """

    def take_in(self, state: State, fresh: FreshWeights, age: int,
                start: TrainingStart) -> State:
        """What a client goes on with that has got fresh weights.

        Args:
            state (dict[str, Tensor]): Its weights and buffers now.
            fresh (FreshWeights): The fresh ones, newer than ``anchor``.
            age (int): How many versions they are newer, >= 1.
            start (TrainingStart): What it started from.

        Returns:
            dict[str, Tensor]: New tensors with the same keys.
        """
        raise NotImplementedError

    def references(self, start: TrainingStart) -> List[State]:
        """Weights whose features :meth:`feature_loss` compares with.

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

    def layer_loss(self, layers: Sequence[Tensor],
                   references: Sequence[Sequence[Tensor]]) -> Tensor:
        """A loss on what layers make of a batch.

        Args:
            layers (list[Tensor]): Output of each of ``feature_layers`` in the
                client's model now, e.g. tokens (B, N, C) or a map (B, C, H,
                W).
            references (list[list[Tensor]]): Those of the same images with the
                weights of each of :meth:`references`, without gradient.

        Returns:
            Tensor: A scalar that is added to the loss.
        """
        raise NotImplementedError

    def finish_client(self, state: State, start: TrainingStart,
                      lr_sums: Dict[str, float]) -> Tuple[State, State]:
        """End the local training of a client.

        Args:
            state (dict[str, Tensor]): Its weights and buffers at the end.
            start (TrainingStart): What it started from.
            lr_sums (dict[str, float]): For each trained parameter the sum of
                its learning rates over the steps, K eta if it is constant.

        Returns:
            tuple[dict[str, Tensor], dict[str, Tensor]]: Its next memory, of
            new tensors, and what it sends beside its weights.
        """
        return start.memory, {}

    def download(self, client: str) -> State:
        """What the server sends to a client beside the weights.

        Args:
            client (str): Its name.
        """
        return {}

    def find_fault(self, update: ClientUpdate, request: TrainRequest,
                   trained: Sequence[str]) -> Optional[str]:
        """Why :meth:`finish_round` cannot use an update; None if it can.

        The server asks before it takes the update, whose sender may be broken
        or hostile.

        Args:
            update (ClientUpdate): The update. Its weights fit.
            request (TrainRequest): What the client was asked for.
            trained (list[str]): Parameters that the clients train.
        """
        return None

    def finish_round(self, previous: State, aggregated: State,
                     updates: Sequence[ClientUpdate],
                     num_clients: int) -> State:
        """End a round, after the aggregation.

        Args:
            previous (dict[str, Tensor]): Global weights that the clients
                started from.
            aggregated (dict[str, Tensor]): What the aggregator gave.
            updates (list[ClientUpdate]): Of those that took part; without
                weights, unless it ``needs_updates``.
            num_clients (int): Clients of the federation, absent ones too.

        Returns:
            dict[str, Tensor]: The next global weights.
        """
        return aggregated

    def state_dict(self) -> dict:
        """State of the server's side that a resumed run needs."""
        return dict(server=self.server)

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
        self.server = state_dict['server']
