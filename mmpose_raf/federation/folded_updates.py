"""Updates of which only the mean is needed, added up as they come."""

from typing import List

from .messages import ClientUpdate
from .state_math import State, cast_state, fold_state, start_mean


class FoldedUpdates:
    """A running mean of updates: one state, however many there are."""

    def __init__(self):
        self.total = 0.
        self.mean: State = {}
        self.merged: List[ClientUpdate] = []

    def add(self, update: ClientUpdate, weight: float):
        """Take an update in; nothing of its state is kept.

        Args:
            update (ClientUpdate): The update.
            weight (float): Its weight, > 0, in any unit.
        """
        self.total += weight
        if not self.merged:
            self.mean = start_mean(update.state)
            first = {key: value.new_empty(0)
                     for key, value in update.state.items()}
            self.merged = [
                ClientUpdate(
                    'all', first, 0, parameters=update.parameter_names)
            ]
        else:
            fold_state(self.mean, update.state, weight / self.total)
        self.merged[0].num_samples += update.num_samples

    def take(self) -> List[ClientUpdate]:
        """One update that stands for all, or none; start anew."""
        merged, mean = self.merged, self.mean
        self.total, self.merged, self.mean = 0., [], {}
        for update in merged:
            update.state = cast_state(mean, update.state)
        return merged
