"""What a round tells: a line for each client and a table at its end."""

import time
from typing import Dict, List, Sequence

from mmengine.runner import Runner
from torch import Tensor

from mmpose_raf.datasets.client import Client
from mmpose_raf.federation import ClientUpdate
from mmpose_raf.tables import render_table


class ClientLog:
    """Means of what a client's training logs, without waiting for the GPU."""

    def __init__(self):
        self.sums: Dict[str, Tensor] = {}
        # Not every iteration has every key: levels differ between batches.
        self.counts: Dict[str, int] = {}
        self.num_iters = 0
        self.start = time.perf_counter()

    def add(self, outputs: dict):
        """Add the log variables of one iteration."""
        for key, value in outputs.items():
            if isinstance(value, Tensor):
                value = value.detach().float()
            self.sums[key] = self.sums.get(key, 0) + value
            self.counts[key] = self.counts.get(key, 0) + 1
        self.num_iters += 1

    def means(self) -> Dict[str, float]:
        """Means over the iterations that logged a key, and the seconds that
        all took."""
        means = {
            key: float(value) / self.counts[key]
            for key, value in self.sums.items()
        }
        return dict(means, seconds=time.perf_counter() - self.start)


def log_client(runner: Runner, client: Client, update: ClientUpdate,
               num_iters: int):
    """Log the end of a client's local training in one line."""
    values = '  '.join(f'{key}: {value:.6g}'
                       for key, value in update.metrics.items())
    runner.logger.info(
        f'Round [{runner.epoch + 1}/{runner.max_epochs}] client '
        f'{client.name} ({client.resolution}): {num_iters} iterations  '
        f'{values}')


def log_round(runner: Runner, clients: Sequence[Client],
              updates: Sequence[ClientUpdate]):
    """Log a round as a table and to the visualisation backends."""
    columns: List[str] = []
    for update in updates:
        columns += [key for key in update.metrics if key not in columns]
    resolutions = {client.name: client.resolution for client in clients}
    rows = [[
        update.client, resolutions[update.client],
        str(update.num_samples), *(f'{update.metrics[key]:.5g}' if key in
                                   update.metrics else '-' for key in columns)
    ] for update in updates]
    table = render_table(['client', 'resolution', 'samples', *columns], rows)
    runner.logger.info(f'Round [{runner.epoch + 1}/{runner.max_epochs}], '
                       f'{len(updates)} of {len(clients)} clients:\n{table}')
    runner.visualizer.add_scalars(
        {
            f'{update.client}/{key}': value
            for update in updates for key, value in update.metrics.items()
        },
        step=runner.epoch + 1)
