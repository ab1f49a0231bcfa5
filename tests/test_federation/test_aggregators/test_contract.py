"""What holds for each aggregator that weighs the clients by itself."""

import copy
import io

import numpy as np
import pytest
import torch

from mmpose_raf.federation import (ContributionFair, DiscrepancyAware,
                                   LayerwiseDivergenceAware, LearnableWeights,
                                   LossAware, StalenessAware)
from mmpose_raf.registry import AGGREGATORS
from tests.test_federation.test_aggregators.random_clients import (
    PARAMETERS, flat, quadratic, random_round, random_state)

CASES = dict(
    divergence=lambda: LayerwiseDivergenceAware(),
    loss=lambda: LossAware(num_rounds=5),
    discrepancy=lambda: DiscrepancyAware(),
    learnable=lambda: LearnableWeights(8, server_lr=.05, steps=5),
    fair=lambda: ContributionFair(8),
    fair_times=lambda: ContributionFair(8, 'times'),
    staleness=lambda: StalenessAware(),
    tuned_staleness=lambda: StalenessAware(control_lr=.01, proxy_samples=8))

cases = pytest.mark.parametrize('make', CASES.values(), ids=CASES)


def built(make, dtype=torch.float64):
    """An aggregator with a proxy loss, if it asks for one."""
    aggregator = make()
    if aggregator.proxy_samples:
        rng = np.random.default_rng(99)
        aggregator.proxy_loss = quadratic(random_state(rng, dtype))
    return aggregator


@cases
def test_a_resumed_server_goes_on_exactly(make):
    rng = np.random.default_rng(0)
    start = random_state(rng)
    rounds = [random_round(rng) for _ in range(5)]
    whole, first, second = built(make), built(make), built(make)
    one = other = start
    for updates in rounds:
        one = whole.aggregate(one, updates)
    for updates in rounds[:2]:
        other = first.aggregate(other, updates)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    for updates in rounds[2:]:
        other = second.aggregate(other, updates)
    for key in start:
        assert torch.equal(one[key], other[key]), key
    # Its state matters, if it has one.
    forgetful, third = built(make), other
    again = forgetful.aggregate(start, rounds[-1])
    third = second.aggregate(start, rounds[-1])
    assert torch.equal(again['weight'],
                       third['weight']) == (not second.state_dict())


@cases
def test_a_saved_state_is_not_changed_by_the_next_round(make):
    rng = np.random.default_rng(1)
    aggregator = built(make)
    state = aggregator.aggregate(random_state(rng), random_round(rng))
    saved = aggregator.state_dict()
    before = copy.deepcopy(saved)
    aggregator.aggregate(state, random_round(rng))
    assert saved == before


@cases
def test_what_is_given_is_left_alone(make):
    rng = np.random.default_rng(2)
    start, updates = random_state(rng), random_round(rng)
    given = [start] + [update.state for update in updates]
    before = copy.deepcopy(given)
    with torch.no_grad():
        result = built(make).aggregate(start, updates)
    for value in result.values():
        assert not value.requires_grad
        value.zero_()
    for state, old in zip(given, before):
        for key in state:
            assert torch.equal(state[key], old[key]), key


@cases
@pytest.mark.parametrize('count', [1, 2, 5])
def test_keys_types_and_counters(make, count):
    rng = np.random.default_rng(3)
    start, updates = random_state(rng), random_round(rng, count)
    result = built(make).aggregate(start, updates)
    assert list(result) == list(start)
    assert all(result[key].dtype == start[key].dtype for key in start)
    counts = [update.state['count'].item() for update in updates]
    if make().is_asynchronous:
        counts.append(start['count'].item())
    assert result['count'].item() == max(counts)


@cases
def test_half_precision_is_rounded_once(make):
    rng = np.random.default_rng(4)
    start = random_state(rng, torch.float16)
    updates = random_round(rng, 3 if not make().is_asynchronous else 1,
                           torch.float16)
    result = built(make, torch.float16).aggregate(start, updates)

    def exact(state):
        return {
            key: value.double() if value.is_floating_point() else value
            for key, value in state.items()
        }

    for update in updates:
        update.state = exact(update.state)
    expected = built(make).aggregate(exact(start), updates)
    for key in [*PARAMETERS, 'running_var']:
        assert result[key].dtype == torch.float16
        np.testing.assert_allclose(flat(result, [key]),
                                   flat(expected, [key]),
                                   rtol=2e-3,
                                   atol=2e-3)


@cases
def test_equal_clients_keep_their_buffers(make):
    """The weights of the clients sum to 1."""
    rng = np.random.default_rng(5)
    updates = random_round(rng)
    for update in updates:
        update.state = updates[0].state
    result = built(make).aggregate(updates[0].state, updates)
    torch.testing.assert_close(result['running_var'],
                               updates[0].state['running_var'])


@cases
def test_a_missing_proxy_set_is_named(make):
    aggregator = make()
    rng = np.random.default_rng(6)
    start, updates = random_state(rng), random_round(rng)
    if not aggregator.proxy_samples:
        aggregator.aggregate(start, updates)
        return
    name = type(aggregator).__name__
    with pytest.raises(ValueError, match=f'{name} needs a proxy set'):
        aggregator.aggregate(start, updates)
    aggregator.proxy_loss = lambda state: state['weight'].sum() * torch.nan
    with pytest.raises(ValueError, match=f'{name} .* finite .* got nan'):
        aggregator.aggregate(start, updates)


@cases
def test_weights_for_the_log(make):
    aggregator = built(make)
    assert aggregator.weights == {}
    rng = np.random.default_rng(7)
    state = random_state(rng)
    for names in ('abc', 'da', 'b'):
        updates = random_round(rng, len(names), names=names)
        state = aggregator.aggregate(state, updates)
        if make is CASES['divergence']:  # a number for each layer
            assert aggregator.weights == {}
            continue
        assert list(aggregator.weights) == list(names)
        if not aggregator.is_asynchronous:
            assert sum(aggregator.weights.values()) == pytest.approx(1)
    # They are each aggregator's own.
    assert make().weights == {}


@cases
def test_registered(make):
    name = type(make()).__name__
    assert AGGREGATORS.get(name) is type(make())
