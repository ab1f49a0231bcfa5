"""FedASMU against its formula, its tuning against autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpose_raf.federation import ClientUpdate, StalenessAware
from tests.test_federation.test_aggregators.random_clients import (
    PARAMETERS, flat, quadratic, random_round, random_state)

KEYS = ['weight', 'bias', 'running_var']
ARGUMENTS = dict(mu=.7, lam=1.5, sigma=.8, iota=.1)


def share(t, staleness, mu, lam, sigma, iota):
    xi = lam / np.sqrt(t) * (staleness + 1)**-sigma + iota
    return mu * xi / (1 + mu * xi)


@pytest.mark.parametrize('arguments', [
    ARGUMENTS,
    dict(mu=1, lam=1, sigma=0, iota=0),
    dict(mu=2, lam=0, sigma=0, iota=.5),
])
@pytest.mark.parametrize('count', [1, 3])
def test_several_rounds(arguments, count):
    """As single updates or several at once: the versions count on."""
    rng = np.random.default_rng(0)
    aggregator, state = StalenessAware(**arguments), random_state(rng)
    w, t = flat(state, KEYS), 0
    for _ in range(4):
        updates = random_round(rng, count)
        state = aggregator.aggregate(state, updates)
        for update in updates:
            t += 1
            alpha = share(t, update.staleness, **arguments)
            w = (1 - alpha) * w + alpha * flat(update.state, KEYS)
            assert aggregator.weights[update.client] == pytest.approx(alpha)
        np.testing.assert_allclose(flat(state, KEYS), w)
    assert aggregator.version == t


@pytest.mark.parametrize('version, expected', [(1, 1 / 2), (9, 1 / 4),
                                               (100, 1 / 11)])
def test_defaults(version, expected):
    aggregator = StalenessAware()
    aggregator.version = version
    controls = torch.tensor(aggregator.initial, dtype=torch.float64)
    assert aggregator.share(controls, 0).item() == pytest.approx(expected)
    # Three versions old: half of xi.
    assert aggregator.share(controls, 3).item() == pytest.approx(
        1 / (1 + 2 * version**.5))


@settings(max_examples=50, deadline=None)
@given(st.floats(.1, 10), st.floats(.1, 10), st.floats(.1, 3),
       st.floats(0, 2), st.integers(1, 1000))
def test_the_older_the_less(mu, lam, sigma, iota, version):
    aggregator = StalenessAware(mu, lam, sigma, iota)
    aggregator.version = version
    controls = torch.tensor(aggregator.initial, dtype=torch.float64)
    shares = [aggregator.share(controls, age).item() for age in range(20)]
    assert all(one > other for one, other in zip(shares, shares[1:]))
    assert 0 < shares[-1] and shares[0] < 1


def test_tuning_by_hand():
    """Each client's controls, with the derivatives written out."""
    rng = np.random.default_rng(1)
    center, state = random_state(rng), random_state(rng)
    aggregator = StalenessAware(**ARGUMENTS, control_lr=.05, proxy_samples=8)
    aggregator.proxy_loss = quadratic(center)
    controls, w, t = {}, flat(state), 0
    for _ in range(4):
        updates = random_round(rng, 2)
        state = aggregator.aggregate(state, updates)
        for update in updates:
            t, s = t + 1, update.staleness + 1
            mu = ARGUMENTS['mu']
            lam, sigma, iota = controls.get(update.client, [1.5, .8, .1])
            alpha = share(t, s - 1, mu, lam, sigma, iota)
            move = flat(update.state) - w
            w = w + alpha * move
            slope = (w - flat(center)) @ move * mu * (1 - alpha)**2
            decay = s**-sigma / np.sqrt(t)
            gradient = slope * np.array(
                [decay, -lam * decay * np.log(s), 1])
            controls[update.client] = np.maximum(
                0, np.array([lam, sigma, iota]) - .05 * gradient)
        np.testing.assert_allclose(flat(state), w)
    assert set(aggregator.controls) == {'a', 'b'}
    for client, expected in controls.items():
        np.testing.assert_allclose(aggregator.controls[client], expected)
    assert aggregator.controls['a'] != aggregator.controls['b']


def test_the_gradient_is_that_through_the_mix():
    rng = np.random.default_rng(2)
    old, (update, ) = random_state(rng), random_round(rng, 1)
    update.staleness = 2
    features = torch.tensor(rng.normal(size=(8, 3)))

    def loss(state):
        hidden = (features @ state['weight'] * state['running_var']).tanh()
        return (hidden @ state['bias'] - 1).square().mean()

    aggregator = StalenessAware(**ARGUMENTS)
    aggregator.proxy_loss = loss
    aggregator.version = 5
    controls = torch.tensor([.9, .4, .2],
                            dtype=torch.float64,
                            requires_grad=True)
    lam, sigma, iota = controls
    xi = .7 * (lam / 5**.5 * 3**-sigma + iota)
    alpha = xi / (1 + xi)
    new = {
        key: (1 - alpha) * old[key] + alpha * update.state[key]
        for key in KEYS
    }
    new['running_var'] = new['running_var'].detach()
    expected, = torch.autograd.grad(loss(new), controls)
    got = aggregator.control_gradient(
        controls.detach(), old,
        {key: value.detach()
         for key, value in new.items()}, update)
    assert (got.abs() > 1e-4).all()
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize('is_good', [True, False])
def test_tuning_tells_good_clients_from_bad(is_good):
    """Who goes to the optimum gets a larger share, who leaves it less."""
    optimum = dict(w=torch.ones(3))
    aggregator = StalenessAware(control_lr=.01, proxy_samples=8)
    aggregator.proxy_loss = lambda state: (state['w'] - optimum['w']).square(
    ).sum()
    state = dict(w=torch.zeros(3))
    for _ in range(50):
        target = 1. if is_good else -1.
        update = ClientUpdate('c', dict(w=torch.full((3, ), target)), 1)
        state = aggregator.aggregate(state, [update])
    lam, sigma, iota = aggregator.controls['c']
    if is_good:
        assert lam > 1 and iota > 0
    else:
        # Bounded from below.
        assert lam < 1 and iota == 0
    assert sigma == .5  # without staleness it has no part


def test_who_needs_a_proxy_set():
    assert StalenessAware.is_asynchronous
    assert not StalenessAware().proxy_samples
    assert StalenessAware(control_lr=.1, proxy_samples=8).proxy_samples == 8
    for wrong in (dict(control_lr=.1), dict(proxy_samples=8)):
        with pytest.raises(ValueError, match="proxy_samples must be"):
            StalenessAware(**wrong)


def test_parameters_alone_count_in_the_gradient():
    """A buffer that moves far does not tune the controls."""
    rng = np.random.default_rng(3)
    old, (update, ) = random_state(rng), random_round(rng, 1)
    for key in PARAMETERS:
        update.state[key] = old[key]
    aggregator = StalenessAware(control_lr=1., proxy_samples=8)
    aggregator.proxy_loss = lambda state: sum(state[key].sum()
                                              for key in KEYS)
    aggregator.aggregate(old, [update])
    assert aggregator.controls['a'] == aggregator.initial


@pytest.mark.parametrize('name, value', [('mu', 0), ('lam', -1),
                                         ('sigma', -.1), ('iota', -.1),
                                         ('control_lr', -1)])
def test_wrong_arguments(name, value):
    with pytest.raises(ValueError, match=f'{name} must be .* got {value}'):
        StalenessAware(**{name: value})
