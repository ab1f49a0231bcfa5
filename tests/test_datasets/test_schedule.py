"""Who trains when: draws, drop-outs and the simulated clock."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpose_raf.datasets.participation import Participation
from mmpose_raf.datasets.schedule import (AsynchronousSchedule,
                                          SynchronousSchedule, Visit)


def synchronous(num_clients, fraction=1., **options):
    return SynchronousSchedule(
        Participation((1., ) * num_clients, fraction), **options)


def clients_of(schedule, round_):
    return [visit.client for visit in schedule.of_round(round_).visits]


@pytest.mark.parametrize('num_clients, fraction, expected', [
    (10, 1., 10),
    (10, .3, 3),
    (10, .34, 3),
    (10, .36, 4),
    (10, .001, 1),
    (3, .5, 2),
    (1, .1, 1),
])
def test_number_of_participants(num_clients, fraction, expected):
    schedule = synchronous(num_clients, fraction)
    for round_ in range(20):
        participants = clients_of(schedule, round_)
        assert len(participants) == len(set(participants)) == expected
        assert participants == sorted(participants)
        assert schedule.of_round(round_).beginners == tuple(participants)
        assert set(participants) <= set(range(num_clients))
        assert all(type(client) is int for client in participants)


def test_participation_is_drawn_anew_and_fairly():
    first, again, other = (synchronous(10, .3, seed=seed)
                           for seed in (0, 0, 1))
    rounds = [clients_of(first, round_) for round_ in range(2000)]
    # In whatever order they are asked for.
    for round_ in (1999, 3, 0):
        assert clients_of(again, round_) == rounds[round_]
    counts = Counter(client for round_ in rounds for client in round_)
    # Binomial(2000, .3): mean 600, standard deviation 20.5; 5 of them.
    assert all(abs(counts[client] - 600) < 103 for client in range(10))
    assert rounds[:5] != [clients_of(other, round_) for round_ in range(5)]


def test_trainings_of_a_client_are_numbered():
    schedule = synchronous(3, .4)
    numbers = Counter()
    for round_ in range(20):
        for visit in schedule.of_round(round_).visits:
            assert visit.number == numbers[visit.client]
            numbers[visit.client] += 1
    assert sum(numbers.values()) == 20


def test_synchronous_clock():
    """Each round lasts as long as its slowest participant."""
    schedule = synchronous(3, durations=[2., 5., 3.])
    assert schedule.of_round(0).visits == [
        Visit(0, 0, 2.), Visit(1, 0, 5.), Visit(2, 0, 3.)]
    assert schedule.of_round(1).visits == [
        Visit(0, 1, 7.), Visit(1, 1, 10.), Visit(2, 1, 8.)]
    assert [schedule.of_round(i).end for i in range(3)] == [5., 10., 15.]


def test_asynchronous_clock_by_hand():
    """Two clients; the first is more than twice as fast.

    It arrives at 2, 4, 6, 8, ..., the second at 5, 10, ...: who has arrived
    starts again at once.
    """
    schedule = AsynchronousSchedule(
        Participation.of_all(2), durations=[2., 5.])
    rounds = [schedule.of_round(i) for i in range(4)]
    assert set(rounds[0].beginners) == {0, 1}
    assert rounds[0].visits == [Visit(0, 0, 2., (0, )), Visit(0, 1, 4., (0, ))]
    assert rounds[1].beginners == ()
    assert rounds[1].visits == [Visit(1, 0, 5., (1, )), Visit(0, 2, 6., (0, ))]
    assert rounds[2].visits == [Visit(0, 3, 8., (0, )),
                                Visit(0, 4, 10., (0, ))]
    assert rounds[3].visits[0] == Visit(1, 1, 10., (1, ))
    assert [round_.end for round_ in rounds[:3]] == [4., 6., 10.]


def test_who_asks_for_fresh_weights_when():
    """The first arrives at 2, 4, ... and asks at 1, 3, ...; the second, which
    arrives at 5.5, at 2.75."""
    schedule = AsynchronousSchedule(
        Participation.of_all(2), durations=[2., 5.5], refresh_at=.5)
    visits = [
        visit for number in range(3)
        for visit in schedule.of_round(number).visits
    ]
    assert [(visit.arrival, visit.refreshed) for visit in visits] == [
        (2., (0, )), (4., (1, 0)), (5.5, (0, )), (6., ()), (8., (0, )),
        (10., (1, 0))
    ]


@given(st.integers(1, 6), st.floats(.05, 1), st.integers(0, 99),
       st.lists(st.floats(.5, 9), min_size=6, max_size=6),
       st.floats(.2, 1), st.floats(0, .99))
def test_asynchronous_properties(count, fraction, seed, durations, presence,
                                 refresh_at):
    schedule = AsynchronousSchedule(
        Participation((presence, ) * count, fraction),
        durations[:count],
        seed,
        refresh_at=refresh_at)
    now, running, numbers, asked = 0., {}, Counter(), Counter()

    def begin(clients):
        for client in clients:
            assert client not in running  # one training at a time
            running[client] = now

    for round_ in range(6):
        events = schedule.of_round(round_)
        begin(events.beginners)
        assert len(events.visits) <= max(1, round(fraction * count))
        for visit in events.visits:
            assert visit.number == numbers[visit.client]
            numbers[visit.client] += 1
            for client in visit.refreshed:
                when = running[client] + refresh_at * durations[client]
                assert now <= when <= visit.arrival
            asked.update(visit.refreshed)
            assert asked[visit.client] == numbers[visit.client]
            began = running.pop(visit.client)
            assert visit.arrival >= now
            assert visit.arrival == pytest.approx(
                began + durations[visit.client])
            now = visit.arrival
            begin(visit.successors)
            assert len(running) <= max(1, round(fraction * count))
        assert events.end == now


def test_nobody_is_there():
    participation = Participation((((2, 2), ), ((2, 2), )))
    for kind in (SynchronousSchedule, AsynchronousSchedule):
        schedule = kind(participation, durations=[1., 2.])
        assert schedule.of_round(0).visits == []
        assert len(schedule.of_round(1).visits) == 2
        assert schedule.of_round(0).end == 0.


def test_the_fraction_is_of_all_but_only_the_present_come():
    participation = Participation((1., ) + (((9, 9), ), ) * 3, .5)
    schedule = SynchronousSchedule(participation)
    assert clients_of(schedule, 0) == [0]
    assert len(clients_of(schedule, 8)) == 2
