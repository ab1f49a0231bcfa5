"""Adding updates up as they come, against having them all."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmpose_raf.federation import (ClientUpdate, FedAdam, FedAvg, FedAvgM,
                                   FedDyn, FoldedUpdates, Krum, LossAware,
                                   SCAFFOLD, Server)

def updates_of(count, dtype=torch.float32):
    generator = torch.Generator().manual_seed(count)
    return [
        ClientUpdate(
            str(i), {
                'w': torch.randn(3, 2, generator=generator).to(dtype),
                'mean': torch.randn(4, generator=generator),
                'count': torch.tensor(7 * (i % 3))
            },
            num_samples=i + 1,
            parameters=['w']) for i in range(count)
    ]


@pytest.mark.parametrize('make', [
    FedAvg, lambda: FedAvg('samples'), lambda: FedAvgM(weighting='samples'),
    FedAdam
])
@pytest.mark.parametrize('count', [1, 2, 7])
def test_like_all_at_once(make, count):
    start, = updates_of(1)
    together, folded = make(), make()
    for _ in range(2):
        updates = updates_of(count)
        mean = FoldedUpdates()
        for update in updates:
            mean.add(update, folded.weight_of(update))
        merged = mean.take()
        assert len(merged) == 1
        assert merged[0].num_samples == sum(u.num_samples for u in updates)
        first = together.aggregate(start.state, updates)
        second = folded.aggregate(start.state, merged)
        assert list(first) == list(second)
        for key, value in first.items():
            assert second[key].dtype == value.dtype
            torch.testing.assert_close(second[key], value)


@given(st.lists(st.floats(.1, 9), min_size=1, max_size=9))
def test_weighted_mean(weights):
    rows = np.random.default_rng(0).normal(size=(len(weights), 5))
    folded = FoldedUpdates()
    for row, weight in zip(rows, weights):
        folded.add(ClientUpdate('client', dict(w=torch.tensor(row)), 1),
                   weight)
    merged, = folded.take()
    np.testing.assert_allclose(merged.state['w'],
                               np.average(rows, axis=0, weights=weights),
                               rtol=1e-9,
                               atol=1e-12)


def test_nothing_came():
    assert FoldedUpdates().take() == []


def test_it_starts_anew():
    folded = FoldedUpdates()
    for value in (1., 5.):
        folded.add(ClientUpdate('a', dict(w=torch.tensor([value])), 1), 1)
        merged, = folded.take()
        assert merged.state['w'] == value


def test_half_precision_is_added_in_float32():
    """1 + 1/512 is no bfloat16; the mean of it and 1 is."""
    folded = FoldedUpdates()
    for update in updates_of(300, torch.bfloat16):
        folded.add(update, 1)
    merged, = folded.take()
    exact = torch.stack([u.state['w'].double()
                         for u in updates_of(300, torch.bfloat16)]).mean(0)
    assert merged.state['w'].dtype == torch.bfloat16
    torch.testing.assert_close(merged.state['w'],
                               exact.bfloat16(),
                               rtol=1e-2,
                               atol=1e-4)


def test_the_update_is_not_touched_nor_kept():
    folded = FoldedUpdates()
    updates = updates_of(3)
    for update in updates:
        folded.add(update, 1)
        update.state['w'].fill_(9)  # the model trains on
    merged, = folded.take()
    expected = torch.stack([u.state['w'] for u in updates_of(3)]).mean(0)
    torch.testing.assert_close(merged.state['w'], expected)


class Noted(FedAvg):
    """FedAvg that looks at the single updates."""

    is_foldable = False


@pytest.mark.parametrize('aggregator, objective, expected', [
    (FedAvg(), None, True),
    (FedAdam(), None, True),
    (FedAvg(), SCAFFOLD(), True),
    (FedAvg(), FedDyn(1.), False),
    (Krum(), None, False),
    (LossAware(3), None, False),
    (Noted(), None, False),
])
def test_who_can_be_folded(aggregator, objective, expected):
    server = Server({}, aggregator, objective, 3, keep_updates=False)
    assert bool(server.is_folding) == expected
    assert not Server({}, aggregator, objective, 3).is_folding
