"""SCAFFOLD."""

from typing import Dict, Optional, Sequence, Tuple

import torch

from ..messages import ClientUpdate, TrainRequest, find_misfit
from ..state_math import (State, add_states, displacements, map_states,
                          on_meta)
from .base import LocalObjective, TrainingStart


class SCAFFOLD(LocalObjective):
    """SCAFFOLD (Karimireddy et al., ICML 2020), option II.

    Control variates c_i of the clients and c of the server, all zero at
    first, correct the drift of the clients: the gradient becomes g + c - c_i.
    After K steps of learning rate eta, c_i' = c_i - c + (w_t - w_i) / (K eta)
    and c' = c + 1/N sum_i (c_i' - c_i), the sum over those that took part and
    N over all.

    The formula takes plain SGD for granted, with which (w_t - w_i) / (K eta)
    is the mean gradient. With momentum it is that of a longer step; with
    AdamW it is the mean of preconditioned steps, and the correction goes
    through the preconditioner itself: then this is a heuristic without the
    paper's guarantee.
    """

    is_asynchronous = False

    def gradient(self, parameters: State, start: TrainingStart) -> State:
        """c - c_i, see :class:`LocalObjective`."""
        own, server = _variates(start, parameters)
        return add_states(server, own, -1)

    def finish_client(self, state: State, start: TrainingStart,
                      lr_sums: Dict[str, float]) -> Tuple[State, State]:
        """Next c_i, and c_i' - c_i for the server."""
        way, = displacements([start.anchor], state, list(lr_sums))
        own, server = _variates(start, way)
        # A parameter whose learning rate was 0 has gone nowhere either.
        mean = {key: step / (lr_sums[key] or 1) for key, step in way.items()}
        memory = add_states(add_states(own, server, -1), mean)
        return memory, add_states(memory, own, -1)

    def find_fault(self, update: ClientUpdate, request: TrainRequest,
                   trained: Sequence[str]) -> Optional[str]:
        """Whether c_i' - c_i is there, see :class:`LocalObjective`."""
        start = on_meta({name: request.state[name] for name in trained})
        like, = displacements([start], start, trained)
        misfit = find_misfit(update.upload, like)
        return misfit and f'of its control variate {misfit}'

    def finish_round(self, previous: State, aggregated: State,
                     updates: Sequence[ClientUpdate],
                     num_clients: int) -> State:
        """Next c, see :class:`LocalObjective`."""
        for update in updates:
            change = update.upload
            self.server = self.server or map_states(torch.zeros_like, change)
            self.server = add_states(self.server, change, 1 / num_clients)
        return aggregated

    def download(self, client: str) -> State:
        """c, see :class:`LocalObjective`."""
        return self.server


def _variates(start: TrainingStart, like: State) -> Tuple[State, State]:
    """c_i and c, zero before the first round."""
    zero = {}
    if not start.memory or not start.download:
        zero = map_states(torch.zeros_like, like)
    return start.memory or zero, start.download or zero
