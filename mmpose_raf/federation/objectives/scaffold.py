"""SCAFFOLD."""

from typing import Dict, Sequence

import torch
from torch import Tensor

from ..client_update import ClientUpdate
from ..state_math import State, add_states, map_states, move_states
from .base import LocalObjective


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

    needs_updates = False

    def gradient(self, client: str, parameters: State,
                 anchor: State) -> State:
        """c - c_i, see :class:`LocalObjective`."""
        own, server = self._variates(client, anchor)
        return add_states(server, own, -1)

    def _variates(self, client: str, anchor: State):
        zero = None
        if client not in self.clients or not self.server:
            zero = map_states(torch.zeros_like, anchor)
        return self.clients.get(client, zero), self.server or zero

    def finish_client(self, client: str, state: State, anchor: State,
                      lr_sums: Dict[str, float]):
        """Next c_i, see :class:`LocalObjective`."""
        moved, = move_states([anchor], state, list(lr_sums))
        own, server = self._variates(client, moved)
        # A parameter whose learning rate was 0 has not moved either.
        mean = {
            key: move / (lr_sums[key] or 1)
            for key, move in moved.items()
        }
        self.clients[client] = add_states(add_states(own, server, -1), mean)
        # c_i' - c_i
        self.uploads[client] = add_states(self.clients[client], own, -1)

    def finish_round(self, previous: Dict[str, Tensor],
                     aggregated: Dict[str, Tensor],
                     updates: Sequence[ClientUpdate],
                     num_clients: int) -> Dict[str, Tensor]:
        """Next c, see :class:`LocalObjective`."""
        for change in self.uploads.values():
            self.server = self.server or map_states(torch.zeros_like, change)
            self.server = add_states(self.server, change, 1 / num_clients)
        return aggregated

    def download(self) -> State:
        """c, see :class:`LocalObjective`."""
        return self.server
