"""What stays with a client between its rounds."""

from dataclasses import dataclass, field
from typing import Any, Dict, List


@dataclass
class ClientState:
    """State of a client that is never averaged.

    Args:
        hyperparameters (list[dict]): Learning rate, weight decay and so on,
            one dict for each parameter group.
        schedules (list[dict]): State dict of each parameter scheduler.
        optimizer (dict): The ``state`` of the optimizer's state dict
            (moments by parameter index); empty before the first round.
    """

    hyperparameters: List[Dict[str, Any]]
    schedules: List[Dict[str, Any]]
    optimizer: Dict[int, Any] = field(default_factory=dict)

    def state_dict(self) -> dict:
        """Plain values, for a checkpoint."""
        return dict(vars(self))

    @classmethod
    def from_state_dict(cls, state: dict) -> 'ClientState':
        """Make a state from what :meth:`state_dict` gave."""
        return cls(**state)
