"""The few samples that the server holds itself."""

from typing import List, Sequence, Tuple

import numpy as np

from mmpose_raf.errors import ConfigError
from .client import Client
from .federated_dataset import SampleKey
from .seeding import Stream, draw_from


def reserve_proxy(indices: Sequence[np.ndarray], clients: Sequence[Client],
                  num_samples: int,
                  seed: int) -> Tuple[List[np.ndarray], List[List[SampleKey]]]:
    """Take samples away from the clients and give them to the server.

    As many from each client as from the others (or one more), so that all
    its resolutions are there. They are always augmented in the same way.

    Args:
        indices (list[np.ndarray]): The samples that each client holds.
        clients (list[Client]): The clients.
        num_samples (int): How many samples the server gets.
        seed (int): Seed of the draw.

    Returns:
        tuple[list[np.ndarray], list[list[SampleKey]]]: What is left to each
        client, and the server's samples in groups of one resolution each.

    Raises:
        ConfigError: If a client would be left without a sample of each of
            its resolutions.
    """
    rng = draw_from(seed, Stream.PROXY)
    left, groups = [], []
    for number, (own, client) in enumerate(zip(indices, clients)):
        count = (num_samples + len(clients) - 1 - number) // len(clients)
        if len(own) - count < len(client.input_sizes):
            raise ConfigError(
                'federation.aggregator.proxy_samples',
                f'{num_samples} would leave {max(0, len(own) - count)} of '
                f'{len(own)} samples to client {client.name!r}', 'lower it')
        chosen = np.sort(rng.choice(own, count, replace=False))
        seeds = rng.integers(2**32, size=count)
        left.append(np.setdiff1d(own, chosen))
        for size in range(len(client.input_sizes)):
            group = [
                SampleKey(number, int(index), int(key), size)
                for index, key in list(zip(chosen, seeds))[size::len(
                    client.input_sizes)]
            ]
            if group:
                groups.append(group)
    return left, groups
