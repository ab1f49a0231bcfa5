"""Who takes part in which round."""

from typing import List

import numpy as np


class Participation:
    """A share of the clients, drawn anew for every round.

    Args:
        num_clients (int): Number of clients.
        fraction (float): Share of the clients in a round, in (0, 1]; at
            least one takes part.
        seed (int): Seed of the draws.
    """

    def __init__(self, num_clients: int, fraction: float, seed: int):
        self.num_clients = num_clients
        self.num_participants = max(1, round(fraction * num_clients))
        self.seed = seed

    def of_round(self, round_: int) -> List[int]:
        """Indices of a round's participants, ascending."""
        # The 1 keeps this stream apart from others with the same seed: numpy
        # pads the shorter sequences with zeros.
        rng = np.random.default_rng([self.seed, 1, round_])
        chosen = rng.choice(
            self.num_clients, self.num_participants, replace=False)
        return sorted(chosen.tolist())
