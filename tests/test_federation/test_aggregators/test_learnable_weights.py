"""FedLAW against Adam by hand and autograd through the whole mix."""

import numpy as np
import pytest
import torch

from mmpose_raf.federation import ClientUpdate, FedAvg, LearnableWeights
from tests.test_federation.test_aggregators.random_clients import (
    PARAMETERS, flat, quadratic, random_round, random_state)


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def tune_by_hand(updates, center, lr, steps):
    """lambda and gamma after Adam on 1/2 ||gamma sum lambda w - center||^2."""
    clients = np.array([flat(update.state) for update in updates])
    sizes = np.array([update.num_samples for update in updates], float)
    z = np.append(np.log(sizes / sizes.sum()), 0.)  # x and y
    m = v = np.zeros_like(z)
    for step in range(1, steps + 1):
        weights, gamma = softmax(z[:-1]), np.exp(z[-1])
        mean = weights @ clients
        residual = gamma * mean - center
        gradient = np.append(
            weights * ((clients - mean) @ residual) * gamma,
            gamma * (mean @ residual))
        m, v = .5 * m + .5 * gradient, .999 * v + .001 * gradient**2
        z = z - lr * m / (1 - .5**step) / (
            np.sqrt(v / (1 - .999**step)) + 1e-8)
    return softmax(z[:-1]), np.exp(z[-1])


@pytest.mark.parametrize('count', [1, 2, 4])
def test_several_rounds(count):
    rng = np.random.default_rng(0)
    center, state = random_state(rng), random_state(rng)
    aggregator = LearnableWeights(8, server_lr=.03, steps=10)
    aggregator.proxy_loss = quadratic(center)
    for _ in range(3):
        updates = random_round(rng, count)
        state = aggregator.aggregate(state, updates)
        weights, gamma = tune_by_hand(updates, flat(center), .03, 10)
        assert aggregator.gamma == pytest.approx(gamma)
        assert list(aggregator.weights) == [u.client for u in updates]
        assert list(aggregator.weights.values()) == pytest.approx(
            weights.tolist())
        for keys, factor in ((PARAMETERS, gamma), (['running_var'], 1)):
            expected = sum(factor * share * flat(update.state, keys)
                           for share, update in zip(weights, updates))
            np.testing.assert_allclose(flat(state, keys), expected)


def network_loss(features, targets):
    """Loss of a network with a normalisation between its two layers."""

    def loss(state):
        hidden = features @ state['weight'] / state['running_var'].sqrt()
        return (hidden.tanh() @ state['bias'] - targets).square().mean()

    return loss


def positive_buffers(updates):
    for update in updates:
        update.state['running_var'] = update.state['running_var'].abs() + .1
    return updates


def test_the_gradient_is_that_through_the_mix():
    rng = np.random.default_rng(1)
    updates = positive_buffers(random_round(rng))
    states = [update.state for update in updates]
    loss = network_loss(torch.tensor(rng.normal(size=(8, 3))),
                        torch.tensor(rng.normal(size=8)))
    aggregator = LearnableWeights(8)
    aggregator.proxy_loss = loss
    x = torch.tensor(rng.normal(size=3), requires_grad=True)
    y = torch.tensor(-.3, dtype=torch.float64, requires_grad=True)
    got = torch.autograd.grad(
        aggregator.linearize(x, y, states, PARAMETERS), [x, y])

    shares = x.softmax(0)
    mixed = {
        key: y.exp() * sum(p * state[key] for p, state in zip(shares, states))
        for key in PARAMETERS
    }
    mixed['running_var'] = sum(p * state['running_var']
                               for p, state in zip(shares.detach(), states))
    for one, other in zip(got, torch.autograd.grad(loss(mixed), [x, y])):
        assert one.abs().sum() > 1e-3
        torch.testing.assert_close(one, other)


def test_a_poisoned_client_is_found():
    rng = np.random.default_rng(2)
    features = torch.tensor(rng.normal(size=(32, 3)))
    truth = random_state(rng)
    truth['running_var'] = torch.ones(2, dtype=torch.float64)
    hidden = features @ truth['weight']
    loss = network_loss(features, hidden.tanh() @ truth['bias'])
    updates = []
    for name in 'abcd':
        state = {
            key: value + .1 * torch.tensor(rng.normal(size=value.shape))
            if key in PARAMETERS else value
            for key, value in truth.items()
        }
        updates.append(ClientUpdate(name, state, 10, parameters=PARAMETERS))
    # Not both layers, of which tanh would take the sign back.
    updates[2].state['weight'] *= -5
    aggregator = LearnableWeights(8, server_lr=.1, steps=100)
    aggregator.proxy_loss = loss
    result = aggregator.aggregate(truth, updates)
    # From 1/4; the softmax brings it to 0 only slowly.
    assert aggregator.weights['c'] < .05
    assert sum(aggregator.weights.values()) == pytest.approx(1)
    assert loss(result) < loss(FedAvg().aggregate(truth, updates)) / 10


def test_gamma_leaves_buffers_alone():
    """The optimum is half the clients: gamma falls, running_var stays."""
    rng = np.random.default_rng(3)
    update, = random_round(rng, 1)
    aggregator = LearnableWeights(8, server_lr=.05, steps=100)
    aggregator.proxy_loss = quadratic(
        {key: update.state[key] / 2
         for key in PARAMETERS})
    result = aggregator.aggregate(update.state, [update])
    assert aggregator.gamma == pytest.approx(.5, abs=.05)
    assert torch.equal(result['running_var'], update.state['running_var'])
    for key in PARAMETERS:
        torch.testing.assert_close(result[key],
                                   aggregator.gamma * update.state[key])


def test_parameters_that_the_loss_does_not_see():
    rng = np.random.default_rng(4)
    aggregator = LearnableWeights(8, steps=3)
    aggregator.proxy_loss = lambda state: state['bias'].square().sum()
    result = aggregator.aggregate(random_state(rng), random_round(rng))
    assert all(value.isfinite().all() for value in result.values())


def test_rounds_start_anew():
    rng = np.random.default_rng(5)
    start, updates = random_state(rng), random_round(rng)
    aggregator = LearnableWeights(8, steps=5)
    aggregator.proxy_loss = quadratic(random_state(rng))
    first = aggregator.aggregate(start, updates)
    again = aggregator.aggregate(first, updates)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert aggregator.state_dict() == {}


@pytest.mark.parametrize('arguments', [dict(server_lr=0), dict(steps=0)])
def test_wrong_arguments(arguments):
    name, = arguments
    with pytest.raises(ValueError, match=f'{name} must be .* but got 0'):
        LearnableWeights(8, **arguments)
