"""Randomness that depends on a seed and leaves no trace."""

import random

import numpy as np
import pytest
import torch

from mmpose_raf.datasets.seeding import seeded


def draw():
    return (random.random(), np.random.rand(), torch.rand(1).item())


def test_draws_depend_on_the_seed_alone():
    with seeded(7):
        first = draw()
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    with seeded(7):
        assert draw() == first
    with seeded(8):
        other = draw()
    assert all(one != two for one, two in zip(first, other))


@pytest.mark.parametrize('seed', [0, 2**32 - 1])
def test_any_seed_in_range_is_taken(seed):
    with seeded(seed):
        draw()


@pytest.mark.parametrize('fails', [False, True])
def test_outside_nothing_is_changed(fails):
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)
    draw()
    expected = [draw() for _ in range(2)]

    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)
    draw()
    got = [draw()]
    try:
        with seeded(5):
            draw()
            if fails:
                raise OSError
    except OSError:
        pass
    got.append(draw())
    assert got == expected


def test_nested_seeds_leave_the_outer_stream_alone():
    with seeded(1):
        expected = [draw(), draw()]
    with seeded(1):
        got = [draw()]
        with seeded(2):
            draw()
        got.append(draw())
    assert got == expected


def test_is_like_the_seed_functions():
    with seeded(11):
        got = draw()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        expected = (random.Random(11).random(),
                    np.random.RandomState(11).rand(), torch.rand(1).item())
    assert got == expected
