"""Server optimizers against the formulas of their papers."""

import copy

import numpy as np
import pytest
import torch

from mmpose_raf.federation import (ClientUpdate, FedAdagrad, FedAdam, FedAvg,
                                   FedAvgM, FedYogi)

ADAPTIVE = dict(server_lr=.1, beta1=.8, tau=.01)


def adam(v, d):
    return .9 * v + .1 * d**2


def yogi(v, d):
    return v - .1 * d**2 * np.sign(v - d**2)


def adagrad(v, d):
    return v + d**2


RULES = [(FedAdam, adam), (FedYogi, yogi), (FedAdagrad, adagrad)]
DECAYS = {FedAdam: dict(beta2=.9), FedYogi: dict(beta2=.9), FedAdagrad: {}}


def rounds_of_updates(number=5):
    """Updates of three clients in some rounds: what they add to w_t."""
    rng = np.random.default_rng(0)
    return [rng.normal(0, .3, (3, 4)) + [1, -1, .01, 0]
            for _ in range(number)]


def send(state, moves):
    """Updates of clients that move from a state, with a buffer and a count."""
    return [
        ClientUpdate(f'client{i}', {
            'w': state['w'] + torch.tensor(move, dtype=torch.float32),
            'running_mean': torch.full((2, ), float(i)),
            'count': torch.tensor(i)
        }, num_samples=i + 1, parameters=['w'])
        for i, move in enumerate(moves)
    ]


def first_state():
    return {
        'w': torch.ones(4),
        'running_mean': torch.zeros(2),
        'count': torch.tensor(0)
    }


@pytest.mark.parametrize('cls, second', RULES)
def test_adaptive_rules(cls, second):
    aggregator, state = cls(**ADAPTIVE, **DECAYS[cls]), first_state()
    w, m, v = np.ones(4), np.zeros(4), np.full(4, .01**2)
    for moves in rounds_of_updates():
        state = aggregator.aggregate(state, send(state, moves))
        delta = moves.mean(0)
        m = .8 * m + .2 * delta
        v = second(v, delta)
        w = w + .1 * m / (np.sqrt(v) + .01)
        np.testing.assert_allclose(state['w'].numpy(), w, rtol=1e-4)
        # Buffers are averaged; a step would make variances negative.
        assert state['running_mean'].tolist() == [1, 1]
        assert state['count'].item() == 2


@pytest.mark.parametrize('momentum, server_lr', [(.9, 1.), (.5, .3), (0, 1)])
def test_momentum(momentum, server_lr):
    aggregator = FedAvgM(momentum, server_lr)
    state, w, m = first_state(), np.ones(4), np.zeros(4)
    for moves in rounds_of_updates():
        state = aggregator.aggregate(state, send(state, moves))
        m = momentum * m + moves.mean(0)
        w = w + server_lr * m
        np.testing.assert_allclose(state['w'].numpy(), w, rtol=1e-5)


def test_without_momentum_it_is_fedavg():
    state, moves = first_state(), rounds_of_updates(1)[0]
    for weighting in ('uniform', 'samples'):
        plain = FedAvg(weighting).aggregate(state, send(state, moves))
        same = FedAvgM(0., 1., weighting).aggregate(state, send(state, moves))
        for key in state:
            torch.testing.assert_close(same[key], plain[key])


@pytest.mark.parametrize('cls', [FedAvgM, FedAdam, FedYogi, FedAdagrad])
def test_a_resumed_server_goes_on_exactly(cls):
    whole, first = cls(server_lr=.5), cls(server_lr=.5)
    updates = rounds_of_updates(4)
    one = other = first_state()
    for moves in updates:
        one = whole.aggregate(one, send(one, moves))
    for moves in updates[:2]:
        other = first.aggregate(other, send(other, moves))
    second = cls(server_lr=.5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for moves in updates[2:]:
        other = second.aggregate(other, send(other, moves))
    assert torch.equal(one['w'], other['w'])


@pytest.mark.parametrize('cls', [FedAvgM, FedAdam, FedYogi, FedAdagrad])
def test_what_is_given_is_left_alone(cls):
    state = first_state()
    updates = send(state, rounds_of_updates(1)[0])
    before = copy.deepcopy((state, [update.state for update in updates]))
    aggregator = cls(server_lr=.5)
    first = aggregator.aggregate(state, updates)
    kept = copy.deepcopy(first)
    aggregator.aggregate(first, send(first, rounds_of_updates(2)[1]))
    for got, expected in zip([state, first] + [u.state for u in updates],
                             [before[0], kept] + before[1]):
        for key in got:
            assert torch.equal(got[key], expected[key])


@pytest.mark.parametrize('cls', [FedAvgM, FedAdam, FedYogi, FedAdagrad])
def test_half_precision_steps_in_float32(cls):
    state = {'w': torch.full((3, ), 1., dtype=torch.bfloat16)}
    updates = [
        ClientUpdate('a', {'w': torch.full((3, ), 1.5, dtype=torch.bfloat16)},
                     1)
    ]
    aggregator = cls(server_lr=.5)
    result = aggregator.aggregate(state, updates)
    assert result['w'].dtype == torch.bfloat16
    moments = aggregator.state_dict()['moments']
    assert all(m['w'].dtype == torch.float32 for m in moments.values())


@pytest.mark.parametrize('make, message', [
    (lambda: FedAvgM(momentum=1.), 'momentum'),
    (lambda: FedAvgM(server_lr=0), 'server_lr'),
    (lambda: FedAdam(beta1=1), 'beta1'),
    (lambda: FedYogi(beta2=-.1), 'beta2'),
    (lambda: FedAdagrad(tau=0), 'tau'),
    (lambda: FedAdam(weighting='sum'), 'weighting'),
])
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize('cls', [FedAdam, FedYogi, FedAdagrad, FedAvgM])
def test_a_quadratic_is_minimised(cls):
    """Clients that step halfway to their own optimum; the mean is the
    global one."""
    optima = torch.tensor([[3., -1.], [1., 1.], [-1., 3.]])
    # Adagrad's steps shrink with the root of the rounds.
    aggregator = cls(server_lr=1. if cls is FedAdagrad else .1)
    state = {'w': torch.tensor([5., -5.])}
    for _ in range(400):
        updates = [
            ClientUpdate('c', {'w': state['w'] + .5 * (o - state['w'])}, 1)
            for o in optima
        ]
        state = aggregator.aggregate(state, updates)
    torch.testing.assert_close(state['w'], torch.ones(2), atol=.05, rtol=0)
