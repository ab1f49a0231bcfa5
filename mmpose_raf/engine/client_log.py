"""What is noted while a client trains."""

import time
from typing import Dict

import torch
from mmengine.dist import all_reduce, get_comm_device
from torch import Tensor


class ClientLog:
    """Means of what a client's training logs, without waiting for the GPU."""

    def __init__(self):
        self.sums: Dict[str, Tensor] = {}
        # Not every iteration has every key: levels differ between batches.
        self.counts: Dict[str, int] = {}
        self.start = time.perf_counter()

    def add(self, outputs: dict):
        """Add the log variables of one iteration."""
        for key, value in outputs.items():
            if isinstance(value, Tensor):
                value = value.detach().float()
            self.sums[key] = self.sums.get(key, 0) + value
            self.counts[key] = self.counts.get(key, 0) + 1

    def means(self) -> Dict[str, float]:
        """Means over the iterations that logged a key, and the seconds that
        all took."""
        means = {
            key: float(value) / self.counts[key]
            for key, value in self.sums.items()
        }
        return dict(means, seconds=time.perf_counter() - self.start)


def mean_over_processes(metrics: Dict[str, float]) -> Dict[str, float]:
    """Mean of each value over all processes, which log the same ones.

    Each aggregates for itself: they must agree on what the weights depend.
    """
    values = torch.tensor(list(metrics.values()), dtype=torch.float64)
    values = values.to(get_comm_device())
    all_reduce(values, op='mean')
    return dict(zip(metrics, values.tolist()))
