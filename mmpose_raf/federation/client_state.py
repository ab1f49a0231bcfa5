"""What stays with a client between its rounds."""

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List

from .state_math import State


@dataclass
class ClientState:
    """Everything that a client keeps and never sends.

    Args:
        hyperparameters (list[dict]): Learning rate, weight decay and so on,
            one dict for each parameter group.
        schedules (list[dict]): State dict of each parameter scheduler.
        round (int): The round, counted from 0, that the schedules have come
            to. Defaults to 0.
        has_trained (bool): Whether they have passed the iterations of that
            round. Defaults to False.
        optimizer (dict): The ``state`` of the optimizer's state dict
            (moments by parameter index); empty before the first round.
        personal (dict[str, Tensor]): Layers of its own; empty before the
            first round.
        memory (dict[str, Tensor]): What the local objective remembers; empty
            before the first round.
    """

    hyperparameters: List[Dict[str, Any]]
    schedules: List[Dict[str, Any]]
    round: int = 0
    has_trained: bool = False
    optimizer: Dict[int, Any] = field(default_factory=dict)
    personal: State = field(default_factory=dict)
    memory: State = field(default_factory=dict)

    def discard(self, trained: 'ClientState') -> 'ClientState':
        """What is left of a training whose update is of no use.

        The schedules have gone on. The moments were changed in place, and
        would spoil the next training.

        Args:
            trained (ClientState): The state after the training; this one is
                that before.
        """
        return replace(
            trained, optimizer={}, personal=self.personal, memory=self.memory)

    def state_dict(self) -> dict:
        """Plain values, for a checkpoint."""
        return dict(vars(self))

    @classmethod
    def from_state_dict(cls, state: dict) -> 'ClientState':
        """Make a state from what :meth:`state_dict` gave."""
        return cls(**state)
