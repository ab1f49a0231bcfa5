"""The global weights and what renews them."""

from typing import Collection, Dict, Optional, Sequence

from .aggregators import Aggregator
from .client_update import ClientUpdate
from .objectives import LocalObjective
from .state_math import State


class Server:
    """Holds the global weights, numbered by how often they were renewed.

    Args:
        state (dict[str, Tensor]): First global weights and buffers, which
            become its own.
        aggregator (Aggregator): What makes the next ones.
        objective (LocalObjective, optional): The clients' local objective,
            whose server side belongs to the aggregation.
        num_clients (int): Clients of the federation.

    Attributes:
        state (dict[str, Tensor]): The weights now. They are never changed
            in place.
        version (int): Their number.
    """

    def __init__(self,
                 state: State,
                 aggregator: Aggregator,
                 objective: Optional[LocalObjective],
                 num_clients: int):
        self.state = state
        self.aggregator = aggregator
        self.objective = objective
        self.num_clients = num_clients
        self.version = 0
        self.versions: Dict[int, State] = {0: state}

    @property
    def can_fold(self) -> bool:
        """bool: Whether the mean of a round's updates stands for them."""
        return self.aggregator.is_foldable and not (
            self.aggregator.min_clients > 1
            or self.objective and self.objective.needs_updates)

    def has_enough(self, updates: Sequence[ClientUpdate]) -> bool:
        """Whether the aggregator can work with so many updates."""
        return len(updates) >= self.aggregator.min_clients

    def merge(self,
              updates: Sequence[ClientUpdate],
              awaited: Collection[int] = ()):
        """Renew the weights.

        Args:
            updates (list[ClientUpdate]): What has arrived; if it is not
                enough, the weights stay as they are under the next number.
            awaited (set[int]): Numbers of the older weights that clients are
                still training from; all others are forgotten.

        Raises:
            ValueError: If the aggregator cannot take these updates.
        """
        if updates:
            previous, is_enough = self.state, self.has_enough(updates)
            if is_enough:
                self.state = self.aggregator.aggregate(previous, updates)
            if self.objective:
                # Clients have gone on: the server's side must keep up.
                shifted = self.objective.finish_round(
                    previous, self.state, updates, self.num_clients)
                self.state = shifted if is_enough else previous
                self.objective.uploads = {}
        self.version += 1
        self.versions[self.version] = self.state
        self.versions = {
            version: state
            for version, state in self.versions.items()
            if version == self.version or version in awaited
        }

    def state_dict(self) -> dict:
        """What a continued run needs beside the weights now."""
        state = dict(
            aggregator=self.aggregator.state_dict(),
            version=self.version,
            awaited={
                version: state
                for version, state in self.versions.items()
                if version != self.version
            })
        if self.objective:
            state['local_objective'] = self.objective.state_dict()
        return state

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
        self.aggregator.load_state_dict(state_dict['aggregator'])
        if self.objective:
            self.objective.load_state_dict(state_dict['local_objective'])
        self.version = state_dict['version']
        self.versions = {**state_dict['awaited'], self.version: self.state}
