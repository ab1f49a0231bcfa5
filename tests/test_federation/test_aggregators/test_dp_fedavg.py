"""What no client can exceed, and how much noise there is."""

import math

import pytest
import torch

from mmpose_raf.federation import ClientUpdate, DPFedAvg, FederationError

TINY = 1e-9


def state(*values):
    return dict(w=torch.tensor(values))


def updates_of(*rows):
    return [ClientUpdate(str(i), state(*row), 1)
            for i, row in enumerate(rows)]


def seeded(seed, **options):
    """Two of the same seed draw the same noise; users have no seed."""
    private = DPFedAvg(**{**dict(clip_norm=2., noise_multiplier=1.,
                                 num_clients=4), **options})
    private._generator.manual_seed(seed)
    return private


def test_long_updates_are_shortened_and_short_ones_are_not():
    """From (1, 1): ways (6, 8) of length 10, and (.3, .4)."""
    private = DPFedAvg(2., TINY, num_clients=4)
    got = private.aggregate(state(1., 1.), updates_of((7., 9.), (1.3, 1.4)))
    expected = torch.tensor([1 + (1.2 + .3) / 4, 1 + (1.6 + .4) / 4])
    torch.testing.assert_close(got['w'], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize('row', [(1e6, 0.), (-3., 50.), (.1, .1), (0., 0.)])
def test_one_client_moves_the_result_by_the_bound_at_most(row):
    others = [(1., 2.), (-4., 0.)]
    start = state(0., 0.)
    with_it, without = (
        seeded(0).aggregate(start, updates_of(*rows))['w']
        for rows in ([*others, row], others))
    assert (with_it - without).norm() <= 2. / 4 + 1e-6


def test_the_noise_has_the_deviation_that_was_asked_for():
    """z C / m; the estimate from n values is off by 1 / sqrt(2 n)."""
    count = 200_000
    start = dict(w=torch.zeros(count), v=torch.zeros(2, count // 2))
    updates = [ClientUpdate('a', start, 1)]
    noise = DPFedAvg(clip_norm=3., noise_multiplier=.5,
                     num_clients=6).aggregate(start, updates)
    for value in noise.values():
        assert abs(value.std() / .25 - 1) < 6 / math.sqrt(2 * count)
        assert abs(value.mean()) < .25 * 6 / math.sqrt(count)
    # One entry's noise says nothing of another's.
    cosine = torch.dot(noise['w'], noise['v'].flatten()) / (.25**2 * count)
    assert abs(cosine) < 6 / math.sqrt(count)


def test_nobody_can_compute_the_noise():
    torch.manual_seed(0)
    one = DPFedAvg(1., 1., 1).aggregate(state(0.), updates_of((0., )))
    torch.manual_seed(0)
    other = DPFedAvg(1., 1., 1).aggregate(state(0.), updates_of((0., )))
    assert one['w'] != other['w']


def test_rounds_draw_anew():
    private = DPFedAvg(1., 1., 1)
    draws = [private.aggregate(state(0.), updates_of((0., )))['w']
             for _ in range(2)]
    assert draws[0] != draws[1]


def test_what_is_no_parameter_is_not_released():
    start = dict(state(0.), running_mean=torch.zeros(1))
    update = ClientUpdate('a', start, 1, parameters=['w'])
    with pytest.raises(FederationError, match="'running_mean'"):
        DPFedAvg(1., 1., 1).aggregate(start, [update])


@pytest.mark.parametrize('options, name', [
    (dict(clip_norm=0.), 'clip_norm'),
    (dict(clip_norm=math.inf), 'clip_norm'),
    (dict(noise_multiplier=0.), 'noise_multiplier'),
    (dict(num_clients=0), 'num_clients'),
    (dict(num_clients=2.5), 'num_clients'),
    (dict(delta=0.), 'delta'),
    (dict(delta=1.), 'delta'),
])
def test_bad_arguments(options, name):
    with pytest.raises(FederationError, match=name):
        seeded(0, **options)
