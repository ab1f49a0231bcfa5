"""Poisoned updates against their formulas."""

import numpy as np
import pytest
import torch

from mmpose_raf.attacks import (ALittleIsEnough, RandomUpdate, ScaleUpdate,
                                SignFlip)
from mmpose_raf.federation import ClientUpdate, CoordinateMedian, FedAvg


def state_of(row):
    return dict(a=torch.tensor(row[:1]), b=torch.tensor(row[1:]))


def values(state):
    return torch.cat([state['a'], state['b']]).numpy()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


ROWS = np.random.default_rng(0).normal(size=(5, 4))


@pytest.mark.parametrize('attack, factor', [(SignFlip(), -1.),
                                            (SignFlip(10.), -10.),
                                            (ScaleUpdate(5.), 5.)])
def test_a_multiple_of_what_was_trained(attack, factor):
    way = state_of(ROWS[0])
    sent = attack.poison(way, [], generator())
    np.testing.assert_allclose(values(sent), factor * ROWS[0])
    np.testing.assert_allclose(values(way), ROWS[0])


def test_noise_has_the_length_asked_for_and_no_direction():
    way = dict(w=torch.full((20000, ), .1))
    sent = RandomUpdate(3.).poison(way, [], generator())['w']
    assert sent.norm().item() == pytest.approx(3 * way['w'].norm().item())
    assert abs(torch.cosine_similarity(sent, way['w'], 0)) < .03
    again = RandomUpdate(3.).poison(way, [], generator())['w']
    assert torch.equal(sent, again)
    other = RandomUpdate(3.).poison(way, [], generator(1))['w']
    assert not torch.equal(sent, other)


def test_a_little_is_enough_by_its_formula():
    others = [state_of(row) for row in ROWS[1:]]
    sent = ALittleIsEnough(.7).poison(state_of(ROWS[0]), others, generator())
    expected = ROWS[1:].mean(0) - .7 * ROWS[1:].std(0)
    np.testing.assert_allclose(values(sent), expected)


def test_nobody_to_hide_behind():
    sent = ALittleIsEnough().poison(state_of(ROWS[0]), [], generator())
    np.testing.assert_allclose(values(sent), ROWS[0])


def test_a_little_stays_within_the_honest_and_still_moves_the_median():
    """Many clients, of whom a fifth hides: the median goes to one side."""
    honest = [
        dict(w=row) for row in torch.randn(40, 500, generator=generator())
    ]
    bad = ALittleIsEnough(.3).poison(honest[0], honest, generator())
    low = torch.stack([state['w'] for state in honest]).amin(0)
    assert (bad['w'] > low).all()
    updates = [
        ClientUpdate(str(i), state, 1)
        for i, state in enumerate([*honest, *[bad] * 10])
    ]
    clean = CoordinateMedian().aggregate({}, updates[:40])['w'].mean()
    moved = CoordinateMedian().aggregate({}, updates)['w'].mean()
    assert moved < clean - .1
    assert moved < FedAvg().aggregate({}, updates)['w'].mean()


@pytest.mark.parametrize('make', [
    lambda: SignFlip(0), lambda: ScaleUpdate(-1), lambda: RandomUpdate('1'),
    lambda: ALittleIsEnough(0)
])
def test_wrong_arguments(make):
    with pytest.raises(ValueError, match='must be'):
        make()
