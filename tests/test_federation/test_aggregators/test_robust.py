"""Robust aggregators against their definitions, and against attackers."""

import itertools

import numpy as np
import pytest
import torch

from mmpose_raf.federation import (ClientUpdate, CoordinateMedian,
                                   DiscrepancyAware, FedAdam, FedAvg, Krum,
                                   LearnableWeights, MultiKrum, NormClipping,
                                   StalenessAware, TrimmedMean)


def updates_of(*rows):
    """Clients with these weights, split over two entries, and a counter."""
    return [
        ClientUpdate(f'client{i}', {
            'a': torch.tensor(row[:1], dtype=torch.float32),
            'b': torch.tensor(row[1:], dtype=torch.float32),
            'count': torch.tensor(i)
        }, 1) for i, row in enumerate(rows)
    ]


def weights(state):
    return torch.cat([state['a'], state['b']]).tolist()


def random_rows(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 4)).tolist()


@pytest.mark.parametrize('count', [1, 2, 3, 6, 7])
def test_median(count):
    rows = random_rows(count)
    state = CoordinateMedian().aggregate({}, updates_of(*rows))
    np.testing.assert_allclose(weights(state), np.median(rows, 0), rtol=1e-6)
    assert state['count'].item() == count - 1


@pytest.mark.parametrize('count, trim', [(3, 1), (4, 1), (7, 2), (7, 3)])
def test_trimmed_mean(count, trim):
    rows = random_rows(count)
    state = TrimmedMean(trim).aggregate({}, updates_of(*rows))
    expected = [
        np.mean(sorted(column)[trim:count - trim]) for column in zip(*rows)
    ]
    np.testing.assert_allclose(weights(state), expected, rtol=1e-5)


def krum_scores(rows, broken):
    """Blanchard et al., section 4, pair by pair."""
    scores = []
    for i, row in enumerate(rows):
        distances = sorted(
            np.sum((np.array(row) - other)**2)
            for j, other in enumerate(rows) if j != i)
        scores.append(sum(distances[:len(rows) - broken - 2]))
    return scores


@pytest.mark.parametrize('count, broken', [(5, 1), (7, 1), (7, 2), (9, 3)])
def test_krum(count, broken):
    for seed in range(5):
        rows = random_rows(count, seed)
        best = int(np.argmin(krum_scores(rows, broken)))
        state = Krum(broken).aggregate({}, updates_of(*rows))
        np.testing.assert_allclose(weights(state), rows[best], rtol=1e-6)


@pytest.mark.parametrize('keep', [1, 2, 4])
def test_multi_krum(keep):
    rows = random_rows(7)
    order = np.argsort(krum_scores(rows, 2))[:keep]
    state = MultiKrum(2, keep).aggregate({}, updates_of(*rows))
    expected = np.mean([rows[i] for i in order], 0)
    np.testing.assert_allclose(weights(state), expected, rtol=1e-5)


def test_near_clients_are_told_apart():
    """Their distance is far below their length."""
    rows = [[1000 + .01 * i, 1000, 1000, 1000] for i in (0, 1, 2, 4, 9)]
    state = Krum(1).aggregate({}, updates_of(*rows))
    best = int(np.argmin(krum_scores(rows, 1)))
    np.testing.assert_allclose(weights(state), rows[best], rtol=1e-7)


@pytest.mark.parametrize('bound', [.5, 2., 100.])
def test_norm_clipping(bound):
    rows = random_rows(4)
    start, = updates_of([1., 2., 3., 4.])
    state = NormClipping(bound).aggregate(start.state, updates_of(*rows))
    moves = [np.array(row) - [1, 2, 3, 4] for row in rows]
    clipped = [
        move * min(1, bound / np.linalg.norm(move)) for move in moves
    ]
    np.testing.assert_allclose(weights(state),
                               [1, 2, 3, 4] + np.mean(clipped, 0),
                               rtol=1e-5)


@pytest.mark.parametrize('bound', [.5, 'median'])
def test_norm_clipping_before_another_rule(bound):
    """What is handed on are the clipped updates, all else as it was."""
    rows = random_rows(5)
    start, = updates_of([1., 2., 3., 4.])
    state = NormClipping(bound, then=TrimmedMean(1)).aggregate(
        start.state, updates_of(*rows))
    moves = np.array(rows) - [1, 2, 3, 4]
    norms = np.linalg.norm(moves, axis=1)
    length = np.median(norms) if bound == 'median' else bound
    clipped = moves * np.minimum(1, length / norms)[:, None]
    expected = [1, 2, 3, 4] + np.sort(clipped, 0)[1:-1].mean(0)
    np.testing.assert_allclose(weights(state), expected, rtol=1e-5)
    assert state['count'].item() == 4


def test_norm_clipping_to_the_median():
    rows = random_rows(4)
    start, = updates_of([0., 0., 0., 0.])
    state = NormClipping('median').aggregate(start.state, updates_of(*rows))
    norms = np.linalg.norm(rows, axis=1)
    clipped = np.array(rows) * np.minimum(1, np.median(norms) /
                                          norms)[:, None]
    np.testing.assert_allclose(weights(state), clipped.mean(0), rtol=1e-5)


def test_norm_clipping_asks_for_what_the_next_rule_needs():
    clipping = NormClipping(1., then=Krum(2))
    assert clipping.min_clients == 7
    guided = NormClipping(1., then=LearnableWeights(proxy_samples=3))
    assert guided.proxy_samples == 3
    guided.proxy_loss = torch.sum
    assert guided.then.proxy_loss is guided.proxy_loss is torch.sum
    disco = NormClipping(1., then=DiscrepancyAware('keypoint'))
    assert disco.distribution == 'keypoint'
    adam = NormClipping(1., then=FedAdam())
    start, = updates_of([0., 0., 0., 0.])
    adam.aggregate(start.state, updates_of(*random_rows(3)))
    other = NormClipping(1., then=FedAdam())
    other.load_state_dict(adam.state_dict())
    assert other.then.moments is adam.then.moments
    assert NormClipping(1., then=StalenessAware()).is_asynchronous


def test_order_of_the_clients_does_not_matter():
    rows = random_rows(5)
    for aggregator in (CoordinateMedian(), TrimmedMean(), Krum(),
                       MultiKrum()):
        first = weights(aggregator.aggregate({}, updates_of(*rows)))
        for other in itertools.islice(itertools.permutations(rows), 1, 9):
            again = weights(aggregator.aggregate({}, updates_of(*other)))
            np.testing.assert_allclose(again, first, rtol=1e-5)


ATTACKS = dict(
    scaled=lambda start, honest: start + 50 * (honest - start),
    flipped=lambda start, honest: start - 5 * (honest - start),
    random=lambda start, honest: torch.randn(
        3, generator=torch.Generator().manual_seed(0)) * 20)
ROBUST = [
    CoordinateMedian(),
    TrimmedMean(2),
    Krum(2),
    MultiKrum(2, 3),
    NormClipping('median', then=TrimmedMean(2))
]


@pytest.mark.parametrize('attack', ATTACKS)
@pytest.mark.parametrize('aggregator', [*ROBUST, FedAvg()],
                         ids=lambda a: type(a).__name__)
def test_two_attackers_of_seven(aggregator, attack):
    """Linear regression: the robust ones learn it, the plain mean does not."""
    generator = torch.Generator().manual_seed(1)
    truth = torch.tensor([1., -2., .5])
    data = [torch.randn(40, 3, generator=generator) for _ in range(7)]
    state = {'w': torch.zeros(3)}
    for _ in range(60):
        updates = []
        for number, inputs in enumerate(data):
            w = state['w'].clone()
            for _ in range(3):
                error = inputs @ (w - truth)
                w -= .1 * inputs.T @ error / len(inputs)
            if number < 2:
                w = ATTACKS[attack](state['w'], w)
            updates.append(ClientUpdate(str(number), {'w': w}, 40))
        state = aggregator.aggregate(state, updates)
    error = (state['w'] - truth).norm().item()
    if isinstance(aggregator, FedAvg):
        assert not error < .5  # far away, or no number any more
    else:
        assert error < .05


@pytest.mark.parametrize('aggregator, count, message', [
    (TrimmedMean(2), 4, 'more than 4 clients'),
    (Krum(1), 4, 'needs 5 clients'),
    (MultiKrum(2), 6, 'needs 7 clients'),
])
def test_too_few_clients(aggregator, count, message):
    with pytest.raises(ValueError, match=message):
        aggregator.aggregate({}, updates_of(*random_rows(count)))


@pytest.mark.parametrize('make', [
    lambda: TrimmedMean(0), lambda: TrimmedMean(1.5), lambda: Krum(0),
    lambda: MultiKrum(1, 0), lambda: NormClipping(0),
    lambda: NormClipping('mean'), lambda: NormClipping(1., then='Krum'),
    lambda: NormClipping('median', then=StalenessAware())
])
def test_wrong_arguments(make):
    with pytest.raises(ValueError, match='must be'):
        make()
