"""What happened in a round."""

from dataclasses import dataclass, field, replace
from typing import Dict, List, Optional

from .messages import ClientUpdate


@dataclass
class Traffic:
    """Bytes that server and clients exchange in a round.

    Args:
        down (int): From the server to the clients.
        up (int): From the clients to the server.
        visits (int): How many trainings the server asked for.
    """

    down: int = 0
    up: int = 0
    visits: int = 0


@dataclass
class RoundReport:
    """What has arrived in a round, and what became of it.

    While the round lasts the server writes it; then the log prints it.

    Args:
        updates (list[ClientUpdate]): Those that were taken, in their order.
            Once the server needs their weights no more, they have none.
        refused (dict[str, str]): Why the update of a client was not taken.
        absent (dict[str, str]): Why none has come from a client that was to
            train.
        traffic (Traffic): What was sent.
        too_few (int, optional): How many updates the aggregator needs, if
            there were fewer: then the global weights stayed as they were.
            Defaults to None.
    """

    updates: List[ClientUpdate] = field(default_factory=list)
    refused: Dict[str, str] = field(default_factory=dict)
    absent: Dict[str, str] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)
    too_few: Optional[int] = None


def without_weights(update: ClientUpdate) -> ClientUpdate:
    """An update without its weights; what it says besides is the same."""
    return replace(update, state={}, parameters=update.parameter_names)
