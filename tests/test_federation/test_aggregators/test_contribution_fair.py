"""FedCE by hand and against its formulas."""

import numpy as np
import pytest
import torch

from mmpose_raf.federation import ClientUpdate, ContributionFair
from tests.test_federation.test_aggregators.random_clients import (
    flat, quadratic, random_round, random_state)

KEYS = ['weight', 'bias', 'running_var']


class ByHand:
    """Means and cosines of arrays, with full lists for the history."""

    def __init__(self, mode, center):
        self.mode, self.center = mode, center
        self.contributions, self.history = {}, {}

    def weigh(self, start, updates):
        names = [update.client for update in updates]
        previous = np.array([self.contributions.get(n, 1.) for n in names])
        previous = previous / previous.sum()
        clients = np.array([flat(update.state) for update in updates])
        moves = clients - start
        consensus = previous @ moves
        novelty, losses = [], []
        for k, name in enumerate(names):
            rest = consensus - previous[k] * moves[k]
            cosine = moves[k] @ rest / np.linalg.norm(
                moves[k]) / np.linalg.norm(rest)
            self.history.setdefault(name, []).append(cosine)
            novelty.append(max(0, 1 - np.mean(self.history[name])))
            others = np.delete(np.arange(len(names)), k)
            model = previous[others] @ clients[others] / (1 - previous[k])
            losses.append(((model - self.center)**2).sum() / 2)
        novelty = np.maximum(1e-3, np.array(novelty) / np.sum(novelty))
        losses = np.maximum(1e-3, np.array(losses) / np.sum(losses))
        total = (novelty + losses
                 if self.mode == 'plus' else novelty * losses)
        total = np.maximum(1e-3, total / total.sum())
        weights = total / total.sum()
        self.contributions.update(zip(names, len(names) * weights))
        return weights


@pytest.mark.parametrize('mode', ['plus', 'times'])
def test_several_rounds(mode):
    """Clients come and go."""
    rng = np.random.default_rng(0)
    center, state = random_state(rng), random_state(rng)
    aggregator = ContributionFair(8, mode)
    aggregator.proxy_loss = quadratic(center)
    reference = ByHand(mode, flat(center))
    for names in ('abc', 'ab', 'dcab', 'ed', 'bac'):
        updates = random_round(rng, len(names), names=names)
        weights = reference.weigh(flat(state), updates)
        state = aggregator.aggregate(state, updates)
        assert list(aggregator.weights) == list(names)
        assert list(aggregator.weights.values()) == pytest.approx(
            weights.tolist())
        expected = sum(share * flat(update.state, KEYS)
                       for share, update in zip(weights, updates))
        np.testing.assert_allclose(flat(state, KEYS), expected)


def squared(state):
    return state['weight'].square().sum() / 2


def round_from(start, *moves):
    return [
        ClientUpdate(name, dict(weight=start['weight'] + torch.tensor(move)),
                     1) for name, move in zip('abc', moves)
    ]


ORIGIN = dict(weight=torch.zeros(2))


@pytest.mark.parametrize('mode, expected', [
    ('plus', [.21735, .21735, .56530]),
    ('times', [.11327, .11327, .77346]),
])
def test_by_hand(mode, expected):
    """Two go the same way, one at a right angle.

    g ~ (1 - 1/sqrt(2), 1 - 1/sqrt(2), 1) = (.1847, .1847, .6306); the models
    without are (1/2, 1/2), (1/2, 1/2) and (1, 0), so that e ~ (1, 1, 2).
    """
    aggregator = ContributionFair(8, mode)
    aggregator.proxy_loss = squared
    updates = round_from(ORIGIN, [1., 0.], [1., 0.], [0., 1.])
    state = aggregator.aggregate(ORIGIN, updates)
    assert list(aggregator.weights.values()) == pytest.approx(expected,
                                                              abs=1e-5)
    assert state['weight'].tolist() == pytest.approx(
        [2 * expected[0], expected[2]], abs=1e-5)


def test_cosines_are_averaged_over_the_rounds():
    """First together, then opposite: the cosines 1 and -1 make 0."""
    aggregator = ContributionFair(8)
    aggregator.proxy_loss = lambda state: squared(state) + 1
    aggregator.aggregate(ORIGIN, round_from(ORIGIN, [1., 0.], [2., 0.]))
    aggregator.aggregate(ORIGIN, round_from(ORIGIN, [1., 0.], [-2., 0.]))
    for total, count in aggregator.cosines.values():
        assert total == pytest.approx(0, abs=1e-6)
        assert count == 2


def test_one_client_alone():
    aggregator = ContributionFair(8)
    update, = round_from(ORIGIN, [1., 2.])
    # There is no model without it, and nothing to learn.
    result = aggregator.aggregate(ORIGIN, [update])
    assert torch.equal(result['weight'], update.state['weight'])
    assert aggregator.weights == dict(a=1)
    assert aggregator.state_dict() == dict(contributions={}, cosines={})


@pytest.mark.parametrize('mode', ['plus', 'times'])
@pytest.mark.parametrize('moves', [
    [[0., 0.], [0., 0.], [0., 0.]],
    [[1., 0.], [1., 0.], [1., 0.]],
])
def test_nothing_to_tell_clients_apart(mode, moves):
    """Neither 0/0 nor a client without weight."""
    aggregator = ContributionFair(8, mode)
    aggregator.proxy_loss = lambda state: 0 * squared(state)
    aggregator.aggregate(ORIGIN, round_from(ORIGIN, *moves))
    assert list(aggregator.weights.values()) == pytest.approx([1 / 3] * 3)


def test_a_useless_client_keeps_a_little():
    """Without the first the loss is 0: it gets the least share."""
    aggregator = ContributionFair(8, 'times')
    aggregator.proxy_loss = squared
    updates = round_from(ORIGIN, [1., 0.], [0., 0.])
    aggregator.aggregate(ORIGIN, updates)
    assert aggregator.weights['a'] == pytest.approx(.001 / 1.001, rel=.01)


def test_negative_losses_are_refused():
    aggregator = ContributionFair(8)
    aggregator.proxy_loss = lambda state: squared(state) - 9
    with pytest.raises(ValueError, match='>= 0, but without client a it is -'):
        aggregator.aggregate(ORIGIN, round_from(ORIGIN, [1., 0.], [2., 0.]))
    assert aggregator.cosines == {}


def test_wrong_arguments():
    with pytest.raises(ValueError, match="mode must be .* but got 'mean'"):
        ContributionFair(8, 'mean')
