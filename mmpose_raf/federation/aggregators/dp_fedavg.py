"""Federated averaging with client-level differential privacy."""

import secrets
from typing import Dict, Sequence

import torch
from torch import Tensor

from ..arguments import check_count, check_positive
from ..errors import FederationError
from ..messages import ClientUpdate
from ..state_math import State, add_states, displacements, state_norm
from .base import Aggregator


class DPFedAvg(Aggregator):
    """DP-FedAvg (McMahan et al., ICLR 2018, arXiv 1710.06963).

    w_{t+1} = w_t + 1/m (sum_i Delta_i min(1, C / ||Delta_i||) + N(0, z^2 C^2
    I)) with Delta_i = w_i - w_t and a fixed m: the estimator with a fixed
    denominator and flat clipping. No client can move the sum by more than C,
    so each round is a Gaussian mechanism of noise multiplier z, and k rounds
    of a client are k of them composed.

    That protects a client, with all its images, against whoever sees the
    global weights of all rounds, other clients included; the server itself,
    which sees each update, is trusted. Who takes part is no secret, as the
    schedule follows from the config: nothing is gained by sampling.

    The noise comes from the operating system's entropy. From the seed of the
    config everybody could compute it and take it away, so that no two runs
    are alike, nor is one that was resumed.

    Args:
        clip_norm (float): C, > 0.
        noise_multiplier (float): z, > 0: noise for each client's C.
        num_clients (int): m, the clients that are to take part in a round,
            >= 1. If fewer do, the step is shorter.
        delta (float): Of (epsilon, delta), in (0, 1), for the log; well below
            one over all clients. Defaults to 1e-5.
    """

    def __init__(self,
                 clip_norm: float,
                 noise_multiplier: float,
                 num_clients: int,
                 delta: float = 1e-5):
        check_positive(clip_norm, 'clip_norm')
        check_positive(noise_multiplier, 'noise_multiplier')
        check_count(num_clients, 'num_clients')
        check_positive(delta, 'delta')
        if delta >= 1:
            raise FederationError(f'delta must be < 1, but got {delta!r}')
        self.clip_norm = clip_norm
        self.noise_multiplier = noise_multiplier
        self.num_clients = num_clients
        self.delta = delta
        self._generator = torch.Generator().manual_seed(secrets.randbits(63))

    def aggregate(self, global_state: Dict[str, Tensor],
                  updates: Sequence[ClientUpdate]) -> Dict[str, Tensor]:
        """Clip, add up and add noise, see :class:`Aggregator`."""
        names = updates[0].parameter_names
        for name in global_state.keys() - set(names):
            raise FederationError(
                f'DPFedAvg does not protect {name!r}, which is no parameter')
        total = self._noise(global_state)
        for way in displacements([update.state for update in updates],
                                 global_state, names):
            norm = max(state_norm(way), 1e-12)
            total = add_states(total, way, min(1., self.clip_norm / norm))
        return add_states(global_state, total, 1 / self.num_clients)

    def _noise(self, like: State) -> State:
        deviation = self.noise_multiplier * self.clip_norm
        return {
            name: torch.empty(value.shape).normal_(
                0, deviation, generator=self._generator).to(value.device)
            for name, value in like.items()
        }
