"""The device side of FedASMU: its share, what it mixes and what it learns."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpose_raf.federation import FreshModel, FreshWeights, TrainingStart


def share(g, o, mu=1., gamma=1., upsilon=.5):
    phi = max(0., gamma / np.sqrt(g) * (1 - upsilon / np.sqrt(g - o + 1)))
    return mu * phi / (1 + mu * phi)


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_weights_and_buffers_are_mixed():
    objective = FreshModel(mu=.7, gamma=1.5, upsilon=.8)
    now = dict(w=double(1., 2.), mean=double(4.), count=torch.tensor(3))
    fresh = dict(w=double(0., 8.), mean=double(6.), count=torch.tensor(5))
    start = TrainingStart({})
    mixed = objective.take_in(now, FreshWeights(9, fresh), 4, start)
    beta = share(9, 5, .7, 1.5, .8)
    torch.testing.assert_close(mixed['w'], double(1 - beta, 2 + 6 * beta))
    torch.testing.assert_close(mixed['mean'], double(4 + 2 * beta))
    assert mixed['count'] == 5
    assert now['w'].tolist() == [1, 2]
    # Nothing is learned: nothing is noted, and nothing remembered.
    assert not start.notes
    assert objective.finish_client(mixed, start, {}) == ({}, {})


@settings(max_examples=50, deadline=None)
@given(st.floats(.1, 10), st.floats(.1, 10), st.floats(0, 3),
       st.integers(20, 1000))
def test_the_older_the_start_the_more_is_taken(mu, gamma, upsilon, version):
    objective = FreshModel(mu=mu, gamma=gamma, upsilon=upsilon)
    shares = [
        objective.share(objective.initial, version, age).item()
        for age in range(1, 20)
    ]
    assert all(one <= other for one, other in zip(shares, shares[1:]))
    assert 0 <= shares[0] and shares[-1] < 1
    assert shares[4] == pytest.approx(
        share(version, version - 5, mu, gamma, upsilon))


def train(objective, steps, memory, optimum):
    """SGD on |w - optimum|^2 / 2 from 0, with fresh weights after 2 steps."""
    fresh, lr = dict(w=double(4., -1.)), .1
    start = TrainingStart(dict(w=double(0., 0.)), memory)
    w = start.anchor['w']
    for step in range(steps):
        if step == 2:
            w = objective.take_in(dict(w=w), FreshWeights(6, fresh), 2,
                                  start)['w']
        gradient = w - optimum
        objective.observe(dict(w=w), dict(w=gradient), start)
        w = w - lr * (gradient + objective.gradient(dict(w=w), start).get(
            'w', 0))
    return w, objective.finish_client(dict(w=w), start, {})[0]


def test_learning_by_hand():
    """Two trainings of a client, with the derivatives written out."""
    objective, optimum = FreshModel(control_lr=.05), double(3., 2.)
    memory, gamma, upsilon = {}, 1., .5
    for _ in range(2):
        got, memory = train(objective, 5, memory, optimum)
        w, target = np.zeros(2), optimum.numpy()
        for _ in range(2):
            w = w - .1 * (w - target)
        beta = share(6, 4, 1, gamma, upsilon)
        way = np.array([4., -1.]) - w
        w = w + beta * way
        slope = (w - target) @ way * (1 - beta)**2 / np.sqrt(6)
        changes = slope * (1 - upsilon / np.sqrt(3)), slope * (
            -gamma / np.sqrt(3))
        gamma, upsilon = gamma - .05 * changes[0], upsilon - .05 * changes[1]
        for _ in range(3):
            w = w - .1 * (w - target)
        np.testing.assert_allclose(got, w)
        np.testing.assert_allclose(memory['controls'], [gamma, upsilon])
    assert gamma != 1 and set(memory) == {'controls'}


@pytest.mark.parametrize('is_good', [True, False])
def test_learning_tells_good_weights_from_bad(is_good):
    """Where fresh weights lead to the optimum, more of them is taken."""
    objective, memory = FreshModel(control_lr=.2), {}
    optimum = double(4., -1.) if is_good else double(-4., 1.)
    for _ in range(20):
        _, memory = train(objective, 5, memory, optimum)
    first = objective.share(objective.initial, 6, 2)
    last = objective.share(memory['controls'], 6, 2)
    assert (last > first) == is_good
    assert (memory['controls'] >= 0).all()


def test_without_a_step_after_it_nothing_is_learned():
    objective = FreshModel(control_lr=.2)
    start = TrainingStart({}, dict(controls=double(.3, .1)))
    objective.take_in(dict(w=double(0.)), FreshWeights(2, dict(w=double(1.))),
                      1, start)
    memory, _ = objective.finish_client({}, start, {})
    assert memory['controls'].tolist() == [.3, .1]


@pytest.mark.parametrize('name, value', [('at', 1), ('at', -.1), ('mu', 0),
                                         ('gamma', -1), ('upsilon', -1),
                                         ('control_lr', -1)])
def test_wrong_arguments(name, value):
    with pytest.raises(ValueError, match=f'{name} must .* got {value}'):
        FreshModel(**{name: value})
