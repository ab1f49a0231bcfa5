from typing import Any, List, Optional, Sequence

import numpy as np

from mmpose_raf.registry import PARTITIONERS
from .base import BasePartitioner, SampleCounts, cut, even_counts


@PARTITIONERS.register_module()
class RandomPartitioner(BasePartitioner):
    """Share out the samples at random, without overlap.

    The clients' data are then independent and identically distributed: they
    differ in what the clients make of them, e.g. in their input sizes, alone.

    Args:
        samples_per_client (int | Sequence[int], optional): How many samples
            each client gets, one number for all or one for each in the
            order of the clients; samples beyond these are left out. Defaults
            to None, i.e. all samples in sizes that differ by at most one.

    Raises:
        ConfigError: If ``samples_per_client`` is not as described.
    """

    def __init__(self,
                 *,
                 samples_per_client: Optional[SampleCounts] = None) -> None:
        super().__init__(samples_per_client=samples_per_client)

    def assign(self, dataset: Any, clients: Sequence[Any],
               rng: np.random.Generator) -> List[np.ndarray]:
        """Cut the shuffled dataset; see :meth:`BasePartitioner.assign`."""
        counts = self.requested_counts(clients)
        if counts is None:
            counts = even_counts(len(dataset), len(clients))
        if sum(counts) > len(dataset):
            raise self.error(
                'samples_per_client',
                f'it asks for {sum(counts)} samples for {len(clients)} '
                f'clients, but the dataset has {len(dataset)}',
                'ask for fewer')
        return cut(rng.permutation(len(dataset)), counts)
