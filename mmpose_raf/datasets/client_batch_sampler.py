"""Batches of one client each, local training after local training."""

import math
from collections import Counter
from typing import Iterable, Iterator, List, Optional, Sequence

import numpy as np
from torch.utils.data import Sampler

from .client import Client
from .federated_dataset import SampleKey
from .schedule import Schedule, Visit
from .seeding import Stream, draw_from


class ClientBatchSampler(Sampler):
    """Batch sampler of a round: each participant's local epochs in turn.

    One data loader with one worker pool thus serves the whole round, and
    prefetching runs across the border between two clients. Order and
    augmentation depend on (seed, client, number of its training, local epoch)
    alone.

    Args:
        clients (list[Client]): The clients. Batches of one that has several
            native sizes hold one size each, in mixed order.
        indices (list[np.ndarray]): The samples that each client holds.
        batch_size (int): Samples in a batch (on each rank).
        local_epochs (int): Passes of a participant over its samples.
        schedule (Schedule): Who trains in which round.
        seed (int): Seed of order and augmentation.
        drop_last (bool): Whether an incomplete last batch is left out.
        rank (int): Rank of this process. Defaults to 0.
        world_size (int): Number of processes, which share every client's
            samples as ``DefaultSampler`` does (the last are repeated to make
            the shares equal). Defaults to 1.
        owners (list[int], optional): Rank of the process that trains each
            client, if they share out the clients instead. Defaults to None.
    """

    def __init__(self,
                 clients: Sequence[Client],
                 indices: Sequence[np.ndarray],
                 batch_size: int,
                 local_epochs: int,
                 schedule: Schedule,
                 seed: int,
                 drop_last: bool,
                 rank: int = 0,
                 world_size: int = 1,
                 owners: Optional[Sequence[int]] = None):
        self.indices = indices
        self.parts = [[
            client.part(own, size) for size in range(len(client.input_sizes))
        ] for client, own in zip(clients, indices)]
        self.batch_size = batch_size
        self.local_epochs = local_epochs
        self.schedule = schedule
        self.seed = seed
        self.drop_last = drop_last
        self.own = [
            owners is None or owners[client] == rank
            for client in range(len(clients))
        ]
        self.rank = rank if owners is None else 0
        self.world_size = world_size if owners is None else 1
        self.round = 0

    @property
    def sampler(self) -> 'ClientBatchSampler':
        """ClientBatchSampler: Itself, which DistSamplerSeedHook looks for."""
        return self

    def set_epoch(self, epoch: int):
        """Set the round, counted from 0, that the next pass belongs to."""
        self.round = epoch

    def num_batches(self, client: int) -> int:
        """Number of batches of a client in one round."""
        return self.local_epochs * sum(self._batch_counts(client))

    def has_empty_part(self, client: int) -> bool:
        """Whether a client has no batch at one of its sizes."""
        return 0 in self._batch_counts(client)

    def _batch_counts(self, client: int) -> List[int]:
        """Number of batches of a client at each of its sizes."""
        rounding = math.floor if self.drop_last else math.ceil
        return [
            rounding(
                math.ceil(len(part) / self.world_size) / self.batch_size)
            for part in self.parts[client]
        ]

    def num_batches_in(self, rounds: Iterable[int]) -> Counter:
        """Number of batches of each client in some rounds together."""
        visits = Counter(visit.client for round_ in rounds
                         for visit in self.visits(round_))
        return Counter({
            client: count * self.num_batches(client)
            for client, count in visits.items()
        })

    def __len__(self) -> int:
        return sum(self.num_batches_in([self.round]).values())

    def visits(self, round_: int) -> List[Visit]:
        """The local trainings of a round that take place here, in order."""
        return [
            visit for visit in self.schedule.of_round(round_).visits
            if self.own[visit.client]
        ]

    def __iter__(self) -> Iterator[List[SampleKey]]:
        for visit in self.visits(self.round):
            yield from self.batches_of(visit)

    def batches_of(self, visit: Visit) -> Iterator[List[SampleKey]]:
        """The batches of one local training."""
        for epoch in range(self.local_epochs):
            yield from self._batches(visit, epoch)

    def _batches(self, visit: Visit, epoch: int) -> Iterator[List[SampleKey]]:
        client = visit.client
        rng = draw_from(self.seed, Stream.BATCHES, visit.number, client, epoch)
        batches = [
            batch for size, part in enumerate(self.parts[client])
            for batch in self._batches_of(part, client, size, rng)
        ]
        if len(self.parts[client]) == 1:
            yield from batches
        else:
            for index in rng.permutation(len(batches)):
                yield batches[index]

    def _batches_of(self, part: np.ndarray, client: int, size: int,
                    rng: np.random.Generator) -> Iterator[List[SampleKey]]:
        """Batches of a client at one of its sizes."""
        order = rng.permutation(part)
        seeds = rng.integers(2**32, size=len(order))
        keys = [
            SampleKey(client, int(index), int(seed), size)
            for index, seed in zip(order, seeds)
        ]
        # As often as it takes: a client may hold less than one sample a rank.
        total = math.ceil(len(keys) / self.world_size) * self.world_size
        share = [
            keys[i % len(keys)]
            for i in range(self.rank, total, self.world_size)
        ]
        for start in range(0, len(share), self.batch_size):
            batch = share[start:start + self.batch_size]
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch
