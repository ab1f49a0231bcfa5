"""Random draws of one seed for different ends must not coincide."""

import numpy as np

from mmpose_raf.datasets.client import Client
from mmpose_raf.datasets.client_batch_sampler import ClientBatchSampler
from mmpose_raf.datasets.participation import Participation
from mmpose_raf.datasets.schedule import SynchronousSchedule, Visit


def test_streams_differ(monkeypatch):
    """numpy takes [1, 2] and [1, 2, 0, 0] for the same seed."""
    states = []
    original = np.random.default_rng

    def spy(seed):
        rng = original(seed)
        states.append(rng.bit_generator.state['state']['state'])
        return rng

    monkeypatch.setattr(np.random, 'default_rng', spy)
    np.random.default_rng(5)  # as a partitioner draws
    schedule = SynchronousSchedule(Participation((1., ) * 3, .5), seed=5)
    sampler = ClientBatchSampler([Client('client', (48, 64))] * 3,
                                 [np.arange(4)] * 3,
                                 batch_size=2,
                                 local_epochs=2,
                                 schedule=schedule,
                                 seed=5,
                                 drop_last=False)
    for round_ in range(2):
        schedule.of_round(round_)
        for client in range(3):
            list(sampler.batches_of(Visit(client, round_, 0.)))
    assert len(states) == len(set(states)) == 1 + 2 * 2 + 2 * 3 * 2
