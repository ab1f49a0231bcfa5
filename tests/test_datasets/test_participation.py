"""Who is there, and what a config may say about it."""

from collections import Counter

import pytest

from mmpose_raf.datasets.client import Client
from mmpose_raf.datasets.participation import (Participation,
                                               parse_participation)
from mmpose_raf.errors import ConfigError


def test_presence_by_schedule():
    participation = Participation((1., ((2, 3), (5, 5))))
    assert [participation.present(i, seed=0) for i in range(5)
            ] == [[0], [0, 1], [0, 1], [0], [0, 1]]


def test_presence_at_random():
    participation = Participation((.25, .75, 1.))
    counts = Counter(
        client for i in range(2000) for client in participation.present(i, 3))
    # Standard deviation 19.4; 5 of them.
    assert abs(counts[0] - 500) < 97
    assert abs(counts[1] - 1500) < 97
    assert counts[2] == 2000
    assert participation.present(7, 3) == participation.present(7, 3)


CLIENTS = [Client('a', (48, 64)), Client('b', (48, 64))]


@pytest.mark.parametrize('config, presence, fraction', [
    (None, (1., 1.), 1.),
    (.5, (1., 1.), .5),
    (1, (1., 1.), 1.),
    (dict(presence=.5), (.5, .5), 1.),
    (dict(presence=dict(b=.25), fraction=.5), (1., .25), .5),
    (dict(presence=dict(a=[(1, 4), (6, 6)])), (((1, 4), (6, 6)), 1.), 1.),
    (dict(presence=dict(a=[[1, 4]], b=1)), (((1, 4), ), 1.), 1.),
])
def test_parsing(config, presence, fraction):
    parsed = parse_participation(config, CLIENTS, 'participation')
    assert parsed == Participation(presence, fraction)


@pytest.mark.parametrize('config, message', [
    (0, 'participation: got 0'),
    (1.5, 'participation: got 1.5'),
    (dict(fraction=0), 'participation: got 0'),
    (dict(share=.5), 'participation.share: unknown key'),
    (dict(presence=0), 'participation.presence.a: got 0'),
    (dict(presence=dict(c=.5)), 'presence.c: there is no such client'),
    (dict(presence=dict(a=[])), r'presence.a: got \[\]'),
    (dict(presence=dict(a=[(0, 4)])), 'presence.a: got'),
    (dict(presence=dict(a=[(5, 4)])), 'presence.a: got'),
    (dict(presence=dict(b=[3, 4])), 'presence.b: got'),
    (dict(presence=dict(b='often')), 'presence.b: got'),
])
def test_wrong_participation(config, message):
    with pytest.raises(ConfigError, match=message):
        parse_participation(config, CLIENTS, 'participation')
