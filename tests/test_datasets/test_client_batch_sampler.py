"""Batches of one client after the other."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import DefaultSampler

from mmpose_raf.datasets.client import Client
from mmpose_raf.datasets.client_batch_sampler import ClientBatchSampler
from mmpose_raf.datasets.participation import Participation
from mmpose_raf.datasets.schedule import SynchronousSchedule


def make_sampler(counts,
                 batch_size=4,
                 local_epochs=1,
                 fraction=1.,
                 seed=0,
                 drop_last=False,
                 sizes=1,
                 **ranks):
    # Not just 0, 1, 2, ...: positions must not be taken for indices.
    bounds = np.cumsum([100, *counts])
    indices = [np.arange(a, b) for a, b in zip(bounds, bounds[1:])]
    # The lower sizes are all the same: only their number matters here.
    clients = [
        Client('client', (48, 64), ((32, 48), ) * (sizes - 1)) for _ in counts
    ]
    return ClientBatchSampler(clients, indices, batch_size, local_epochs,
                              SynchronousSchedule(
                                  Participation((1., ) * len(counts),
                                                fraction), seed=seed), seed,
                              drop_last, **ranks)


def batches_of(sampler, round_):
    sampler.set_epoch(round_)
    return list(sampler)


samplers = st.builds(make_sampler,
                     counts=st.lists(st.integers(1, 20),
                                     min_size=1,
                                     max_size=5),
                     batch_size=st.integers(1, 7),
                     local_epochs=st.integers(1, 3),
                     fraction=st.floats(.01, 1.),
                     seed=st.integers(0, 2**31),
                     drop_last=st.booleans())


@settings(deadline=None)
@given(samplers, st.integers(0, 1000))
def test_a_round_has_one_client_after_the_other(sampler, round_):
    batches = batches_of(sampler, round_)
    participants = [
        visit.client for visit in sampler.schedule.of_round(round_).visits
    ]
    assert len(batches) == len(sampler)

    clients = []
    for batch in batches:
        client, = {key.client for key in batch}
        clients.append(client)
        assert 1 <= len(batch) <= sampler.batch_size
        assert not sampler.drop_last or len(batch) == sampler.batch_size
    # One client after the other, each for as long as it was said.
    assert clients == [
        client for client in participants
        for _ in range(sampler.num_batches(client))
    ]
    seen = Counter(
        (key.client, key.index) for batch in batches for key in batch)
    for client in participants:
        held = sampler.indices[client]
        counts = [seen.pop((client, index), 0) for index in held]
        if sampler.drop_last:
            assert max(counts) <= sampler.local_epochs
            rest = len(held) % sampler.batch_size
            assert sum(counts) == sampler.local_epochs * (len(held) - rest)
        else:
            assert set(counts) == {sampler.local_epochs}
    assert not seen


@settings(deadline=None)
@given(samplers, st.integers(0, 6))
def test_batches_of_several_rounds_are_counted_by_client(sampler, num_rounds):
    counted = Counter(batch[0].client for round_ in range(num_rounds)
                      for batch in batches_of(sampler, round_))
    assert +sampler.num_batches_in(range(num_rounds)) == counted


def test_each_local_epoch_is_a_whole_pass():
    sampler = make_sampler([10], batch_size=4, local_epochs=3)
    batches = batches_of(sampler, 0)
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    orders = [[key.index for batch in batches[i:i + 3] for key in batch]
              for i in (0, 3, 6)]
    for order in orders:
        assert sorted(order) == list(range(100, 110))
    assert orders[0] != orders[1] != orders[2]


def test_rounds_and_clients_are_shuffled_on_their_own():
    sampler = make_sampler([30, 30], batch_size=30)
    orders = []
    for round_ in range(3):
        for batch in batches_of(sampler, round_):
            orders.append(
                tuple(key.index - batch[0].client * 30 for key in batch))
    assert len(set(orders)) == 6


def test_augmentation_is_new_each_time():
    sampler = make_sampler([8, 8], local_epochs=2)
    seeds = [
        key.seed for round_ in range(3)
        for batch in batches_of(sampler, round_) for key in batch
    ]
    assert len(set(seeds)) == len(seeds) == 3 * 2 * 16
    assert 0 <= min(seeds) and max(seeds) < 2**32


def test_depends_on_the_seed_alone():
    expected = [batches_of(make_sampler([9, 5]), i) for i in range(3)]
    sampler = make_sampler([9, 5])
    # In any order, however often, whatever numpy's own generator does.
    for round_ in (2, 0, 1, 1):
        np.random.seed(round_)
        assert batches_of(sampler, round_) == expected[round_]
    assert batches_of(make_sampler([9, 5], seed=1), 0) != expected[0]


def test_a_client_does_not_depend_on_the_others():
    alone = batches_of(make_sampler([9]), 4)
    together = batches_of(make_sampler([9, 5, 7]), 4)
    assert together[:len(alone)] == alone


@settings(deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.integers(1, 5),
       st.integers(1, 6), st.booleans(), st.integers(1, 2))
def test_ranks_share_the_same_order(counts, batch_size, world_size, drop_last,
                                    local_epochs):
    whole = make_sampler(counts, batch_size=10**6, local_epochs=local_epochs)
    orders = batches_of(whole, 3)
    ranks = [
        make_sampler(counts,
                     batch_size,
                     local_epochs,
                     drop_last=drop_last,
                     rank=rank,
                     world_size=world_size) for rank in range(world_size)
    ]
    batches = [batches_of(sampler, 3) for sampler in ranks]
    for sampler, own in zip(ranks, batches):
        assert len(own) == len(sampler)
    # In step: a collective call of one rank meets those of the others.
    for step in zip(*batches):
        assert len({batch[0].client for batch in step}) == 1
        assert len({len(batch) for batch in step}) == 1
    assert len({len(own) for own in batches}) == 1
    if drop_last:
        return
    # MMEngine's rule of who gets what: in turn, the first ones once more.
    for order in orders:
        client = order[0].client
        shares = [[
            key for batch in own for key in batch if key.client == client
        ] for own in batches]
        length = -(-len(order) // world_size)
        assert all(len(share) == local_epochs * length for share in shares)
    first = orders[0]
    length = -(-len(first) // world_size)
    for rank, own in enumerate(batches):
        got = [key for batch in own for key in batch][:length]
        wanted = [
            first[(rank + i * world_size) % len(first)] for i in range(length)
        ]
        assert got == wanted


def test_every_rank_trains_where_there_are_fewer_samples():
    """One sample and four processes: each trains on it."""
    for rank in range(4):
        sampler = make_sampler([1, 3], rank=rank, world_size=4)
        batches = batches_of(sampler, 0)
        assert [len(batch) for batch in batches] == [1, 1]
        assert len(sampler) == 2


def test_shares_are_as_long_as_those_of_default_sampler(monkeypatch):
    for world_size in (1, 2, 3, 8):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda:
                            (0, world_size))
        for count in (1, 2, 7, 8, 9):
            stock = len(DefaultSampler(range(count), shuffle=False))
            sampler = make_sampler([count],
                                   batch_size=1,
                                   world_size=world_size)
            assert len(sampler) == stock
            assert len(batches_of(sampler, 0)) == stock


def test_dist_sampler_seed_hook_finds_it():
    sampler = make_sampler([3])
    sampler.sampler.set_epoch(5)
    assert sampler.round == 5



def test_a_client_of_several_sizes_mixes_batches_of_one_size_each():
    sampler = make_sampler([30], batch_size=4, sizes=3)
    batches = batches_of(sampler, 0)
    assert len(batches) == sampler.num_batches(0) == len(sampler) == 9
    assert all(len({key.size for key in batch}) == 1 for batch in batches)
    order = [batch[0].size for batch in batches]
    assert Counter(order) == {0: 3, 1: 3, 2: 3}
    assert order != sorted(order)  # not one size after the other
    assert order != [batch[0].size for batch in batches_of(sampler, 1)]


def test_a_sample_has_the_same_size_in_every_round():
    sampler = make_sampler([20], batch_size=4, sizes=3)
    rounds = [{(key.index, key.size)
               for batch in batches_of(sampler, round_) for key in batch}
              for round_ in range(3)]
    assert rounds[0] == rounds[1] == rounds[2]
    assert len(rounds[0]) == 20
