"""What a client sends to the server after its local epochs."""

from dataclasses import dataclass, field
from typing import Dict

from torch import Tensor


@dataclass
class ClientUpdate:
    """One client's result of one round.

    Args:
        client (str): Name of the client.
        state (dict[str, Tensor]): All weights and buffers of its model.
        num_samples (int): Number of samples the client holds.
        metrics (dict[str, float]): Means of what was logged in its training.
    """

    client: str
    state: Dict[str, Tensor]
    num_samples: int
    metrics: Dict[str, float] = field(default_factory=dict)
