"""FedDyn."""

from typing import Dict, Sequence, Tuple

import torch

from ..arguments import check_positive
from ..messages import ClientUpdate
from ..state_math import (State, add_states, displacements, map_states,
                          scale_state)
from .base import LocalObjective, TrainingStart


class FedDyn(LocalObjective):
    """FedDyn (Acar et al., ICLR 2021): dynamic regularisation.

    Beside the loss of client i stands -<g_i, w> + alpha/2 ||w - w_t||^2,
    whose gradient is alpha (w - w_t) - g_i; after its training g_i' = g_i -
    alpha (w_i - w_t). The server keeps h' = h - alpha/N sum_i (w_i - w_t),
    the sum over those that took part and N over all, and sends the
    aggregator's mean minus h'/alpha. Where every client has reached its
    minimum, that is the optimum of the sum of the losses.

    Args:
        alpha (float): Strength of the regularisation, > 0.
    """

    needs_updates = True
    is_asynchronous = False

    def __init__(self, alpha: float):
        super().__init__()
        check_positive(alpha, 'alpha')
        self.alpha = alpha

    def gradient(self, parameters: State, start: TrainingStart) -> State:
        """alpha (w - w_t) - g_i, see :class:`LocalObjective`."""
        way, = displacements([parameters], start.anchor, list(parameters))
        pull = scale_state(way, self.alpha)
        if not start.memory:
            return pull
        return map_states(torch.sub, pull, start.memory)

    def finish_client(self, state: State, start: TrainingStart,
                      lr_sums: Dict[str, float]) -> Tuple[State, State]:
        """Next g_i, see :class:`LocalObjective`."""
        way, = displacements([state], start.anchor, list(lr_sums))
        own = start.memory or map_states(torch.zeros_like, way)
        return add_states(own, way, -self.alpha), {}

    def finish_round(self, previous: State, aggregated: State,
                     updates: Sequence[ClientUpdate],
                     num_clients: int) -> State:
        """Next h, and the weights shifted by it."""
        names = updates[0].parameter_names
        for way in displacements([update.state for update in updates],
                                 previous, names):
            self.server = self.server or map_states(torch.zeros_like, way)
            self.server = add_states(self.server, way,
                                     -self.alpha / num_clients)
        return add_states(aggregated, self.server, -1 / self.alpha)
