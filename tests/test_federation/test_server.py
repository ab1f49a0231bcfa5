"""The server: what it asks for, what it takes, what it makes of it."""

import math
import re

import pytest
import torch

from mmpose_raf.federation import (SCAFFOLD, ClientUpdate, DiscrepancyAware,
                                   FedAvg, FedAvgM, FedDyn, FreshModel,
                                   LossAware, NormClipping, Payload, PGFed,
                                   Server, StalenessAware, TrainingStart,
                                   TrimmedMean)


def state(value):
    return dict(w=torch.tensor([value, 0.]))


def answer(server, client, value, **changes):
    """What a client that was asked sends back."""
    request = server.in_flight[client]
    return ClientUpdate(
        client, **{
            'state': state(value),
            'num_samples': 1,
            'version': request.version,
            **changes
        })


def test_a_round_of_two_clients():
    server = Server(state(0.), FedAvg(), num_clients=2)
    first = server.request('a', 0)
    assert (first.client, first.number, first.round, first.version) == (
        'a', 0, 0, 0)
    assert first.state is server.state
    assert server.receive(answer(server, 'a', 2.)) is None
    server.request('b', 0)
    assert server.receive(answer(server, 'b', 4.)) is None
    assert server.state['w'][0] == 0  # the server waits for the round's end
    report = server.close_round()
    assert server.state['w'][0] == 3 and server.version == 1
    assert first.state['w'][0] == 0  # what was sent is never changed
    assert [update.client for update in report.updates] == ['a', 'b']
    assert [u.metrics['update_norm'] for u in report.updates] == [2, 4]
    assert [u.metrics['update_cosine'] for u in report.updates] == [1, 1]
    assert [u.metrics['weight'] for u in report.updates] == [.5, .5]
    assert all(update.state == {} for update in report.updates)
    # Two floats of four bytes each, twice each way.
    assert vars(report.traffic) == dict(down=16, up=16, visits=2)
    assert server.request('a', 1).number == 1
    assert server.close_round().traffic.visits == 1


@pytest.mark.parametrize('keep_updates', [True, False])
def test_keeping_updates_changes_the_log_alone(keep_updates):
    server = Server(
        state(0.), FedAvgM(), num_clients=3, keep_updates=keep_updates)
    for round_ in range(2):
        for client, value in zip('abc', (1., 2., -6.)):
            server.request(client, round_)
            server.receive(answer(server, client, value))
        report = server.close_round()
        assert ('update_cosine' in report.updates[0].metrics) == keep_updates
    # m_1 = -1, w_1 = -1; Delta_2 = -1 - w_1 = 0, m_2 = .9 m_1, w_2 = -1.9
    assert server.state['w'][0].item() == pytest.approx(-1.9)


@pytest.mark.parametrize('changes, reason', [
    (dict(state=state(math.nan)), 'not finite'),
    (dict(state=state(math.inf)), 'not finite'),
    (dict(upload=state(math.nan)), 'not finite'),
    (dict(state={}), "'w' is missing"),
    (dict(state=dict(state(1.), v=torch.ones(1))), "'v' is unknown"),
    (dict(state=dict(w=torch.ones(3))), r'shape \(3,\)'),
    (dict(state=dict(w=torch.ones(2).double())), 'torch.float64'),
    (dict(version=7), 'nothing was asked'),
])
def test_what_is_refused(changes, reason):
    server = Server(state(0.), FedAvg(), num_clients=2)
    for client in 'ab':
        server.request(client, 0)
    refusal = server.receive(answer(server, 'a', 1., **changes))
    assert refusal is not None
    assert re.search(reason, refusal)
    server.receive(answer(server, 'b', 4.))
    report = server.close_round()
    assert report.refused == dict(a=refusal)
    assert server.state['w'][0] == 4


def change(**entries):
    """What SCAFFOLD and PGFed send beside these weights, changed."""
    def of(upload):
        changed = {**upload, **entries}
        return {key: value for key, value in changed.items()
                if value is not None}
    return of


SCAFFOLDS = [
    (change(w=None), "of its control variate 'w' is missing"),
    (change(v=torch.ones(2)), "of its control variate 'v' is unknown"),
    (change(w=torch.ones(3)), r'of its control variate .* shape \(3,\)'),
    (change(w=torch.ones(2).long()), 'torch.int64'),
    (change(w=state(math.inf)['w']), 'not finite')
]
PGFEDS = [
    (change(**{'total/w': None}), "of its gradient 'total/w' is missing"),
    (change(product=None), "of its gradient 'product' is missing"),
    (change(product=torch.ones(2)), r'product.* shape \(2,\)'),
    (change(coefficients=None), 'coefficients'),
    (change(coefficients=torch.ones(5, dtype=torch.float64)), r'shape \(5,\)')
]


@pytest.mark.parametrize('objective, changed, reason', [
    *((SCAFFOLD, *case) for case in SCAFFOLDS),
    *((PGFed, *case) for case in PGFEDS)
])
def test_without_what_the_objective_needs_it_is_refused(
        objective, changed, reason):
    """A hostile client comes first, an honest one is taken after it."""
    server = Server(state(0.), FedAvg(), objective(), 2, trained=['w'])
    for round_ in range(2):
        is_hostile = round_ == 1  # PGFed needs a round before
        for client in 'ab':
            request = server.request(client, round_)
            start = TrainingStart(request.state, {}, request.download)
            for _ in range(2):
                server.objective.observe(state(1.), state(.5), start)
            _, upload = server.objective.finish_client(
                state(1.), start, dict(w=.5))
            is_broken = is_hostile and client == 'a'
            refusal = server.receive(
                answer(server, client, 1., metrics=dict(loss=1.),
                       upload=changed(upload) if is_broken else upload))
            assert bool(refusal) == is_broken
            if is_broken:
                assert re.search(reason, refusal)
        server.close_round()
    assert server.state['w'][0] == 1


@pytest.mark.parametrize('aggregator, changes, reason', [
    (LossAware(4), {}, 'no loss > 0'),
    (LossAware(4), dict(metrics=dict(loss=-1.)), 'no loss > 0'),
    (DiscrepancyAware(), {}, 'its distribution by resolution'),
    (NormClipping(1., LossAware(4)), {}, 'no loss > 0'),
])
def test_without_what_the_aggregator_needs_it_is_refused(
        aggregator, changes, reason):
    server = Server(state(0.), aggregator, num_clients=2)
    server.request('a', 0)
    server.request('b', 0)
    assert reason in server.receive(answer(server, 'a', 9., **changes))
    honest = dict(metrics=dict(loss=1.), distributions=dict(resolution=[1.]))
    assert server.receive(answer(server, 'b', .5, **honest)) is None
    assert set(server.close_round().refused) == {'a'}
    assert server.state['w'][0] == .5


def test_who_was_not_asked_or_has_answered_is_refused():
    server = Server(state(0.), FedAvg(), num_clients=2)
    assert 'nothing was asked' in server.receive(
        ClientUpdate('a', state(1.), 1))
    server.request('a', 0)
    update = answer(server, 'a', 1.)
    assert server.receive(update) is None
    assert 'nothing was asked' in server.receive(update)


def test_late_answers_to_a_closed_round_are_refused():
    server = Server(state(0.), FedAvg(), num_clients=2)
    server.request('a', 0)
    late = answer(server, 'a', 9.)
    server.close_round()
    assert 'nothing was asked' in server.receive(late)
    server.request('a', 1)
    assert 'nothing was asked' in server.receive(late)
    assert server.receive(answer(server, 'a', 1.)) is None


def test_asynchronous_updates_renew_at_once_and_grow_stale():
    server = Server(state(0.), StalenessAware(), num_clients=2)
    server.request('slow', 0)
    for number, value in enumerate((1., 2.)):
        server.request('fast', 0)
        update = answer(server, 'fast', value)
        server.receive(update)
        assert server.version == number + 1 and update.staleness == 0
    late = answer(server, 'slow', 3.)
    assert server.receive(late) is None
    assert late.staleness == late.metrics['staleness'] == 2
    report = server.close_round()
    assert server.version == 3
    assert [u.client for u in report.updates] == ['fast', 'fast', 'slow']
    # alpha = xi / (1 + xi), xi = s^-.5 / sqrt(t): 1/2, then with t = 2 ...
    w = .5
    for t, s, value in ((2, 1, 2.), (3, 3, 3.)):
        xi = s**-.5 / t**.5
        w += xi / (1 + xi) * (value - w)
    assert server.state['w'][0].item() == pytest.approx(w)


def test_a_request_in_flight_keeps_its_version_alive():
    server = Server(state(0.), StalenessAware(), num_clients=3)
    slow = server.request('slow', 0)
    for _ in range(3):
        server.request('fast', 0)
        server.receive(answer(server, 'fast', 1.))
    assert list(server.state_dict()['versions']) == [0]
    assert slow.state['w'][0] == 0
    server.receive(answer(server, 'slow', 1.))
    assert server.state_dict()['versions'] == {}


def ahead(payload=None):
    """A server whose client 'slow' trains from weights two versions old."""
    server = Server(
        state(0.), StalenessAware(), FreshModel(), 2, payload=payload)
    server.request('slow', 0)
    server.refresh('slow')  # there is nothing newer yet
    assert server.in_flight['slow'].fresh is None
    for _ in range(2):
        server.request('fast', 0)
        request = server.in_flight['fast']
        packed = server.payload.pack_update(state(1.), request.state)
        server.receive(
            ClientUpdate('fast', packed, 1, version=request.version))
    return server


def test_fresh_weights_reach_a_client_in_training():
    server = ahead()
    before = server.report.traffic.down
    server.refresh('slow')
    assert server.report.traffic.down == before + 8  # two floats
    own = server.in_flight['slow']
    assert own.version == 0 and own.fresh.version == 2
    assert own.fresh.state is server.state
    assert server.sent('slow') == own
    server.request('fast', 0)
    server.receive(answer(server, 'fast', 1.))
    assert own.fresh.state is not server.state
    again = Server(server.state, StalenessAware(), FreshModel(), 2)
    again.load_state_dict(server.state_dict())
    assert again.in_flight['slow'] == own
    # Once nobody needs them any more, they are gone.
    server.receive(answer(server, 'slow', 1.))
    assert server.state_dict()['versions'] == {}


def test_fresh_weights_travel_like_others():
    server = ahead(Payload('bfloat16', ['w']))
    server.refresh('slow')
    sent = server.sent('slow').fresh.state
    assert torch.equal(sent['w'], server.state['w'].bfloat16())
    assert server.in_flight['slow'].fresh.state is server.state


def test_requests_that_an_earlier_version_saved():
    """They end with the version."""
    server = Server(state(0.), StalenessAware(), None, 2)
    server.request('a', 3)
    saved = server.state_dict()
    saved['in_flight'] = dict(a=saved['in_flight']['a'][:3])
    again = Server(server.state, StalenessAware(), None, 2)
    again.load_state_dict(saved)
    assert again.in_flight == server.in_flight


@pytest.mark.parametrize('make', [
    lambda: Server(state(0.), FedAvgM(), SCAFFOLD(), 3),
    lambda: Server(state(0.), StalenessAware(), None, 3)
])
def test_a_resumed_server_goes_on_as_if_nothing_had_happened(make):

    def train(server, round_):
        for client, value in zip('ab', (1., -4.)):
            if client not in server.in_flight:
                server.request(client, round_)
        server.receive(
            answer(server, 'a', 1. + round_, upload=state(.5 + round_)))
        if round_ % 2:
            server.receive(answer(server, 'b', -4., upload=state(1.)))
        server.close_round()

    whole, broken = make(), make()
    for round_ in range(3):
        train(whole, round_)
        train(broken, round_)
    again = make()
    again.state = broken.state
    again.load_state_dict(broken.state_dict())
    for round_ in range(3, 6):
        train(whole, round_)
        train(again, round_)
    assert torch.equal(again.state['w'], whole.state['w'])
    assert again.state_dict().keys() == whole.state_dict().keys()
    assert (again.version, again.num_requests) == (whole.version,
                                                   whole.num_requests)


@pytest.mark.parametrize('make', [SCAFFOLD, lambda: FedDyn(.3)])
def test_the_servers_side_keeps_up_where_updates_are_too_few(make):
    """The clients' states have moved; so must their mean."""
    server = Server(state(0.), TrimmedMean(), make(), 3)
    objective, memories = server.objective, {}
    for round_, clients in enumerate(('abc', 'ab', 'abc')):
        before = server.state
        for number, client in enumerate(clients):
            request = server.request(client, round_)
            start = TrainingStart(request.state, memories.get(client, {}),
                                  request.download)
            trained = state(1. + number)
            memories[client], upload = objective.finish_client(
                trained, start, dict(w=.5))
            server.receive(
                answer(server, client, 1. + number, upload=upload))
        report = server.close_round()
        assert report.too_few == (3 if len(clients) < 3 else None)
        if len(clients) < 3:
            assert server.state is before
        total = sum(memory['w'] for memory in memories.values())
        torch.testing.assert_close(objective.server['w'], total / 3)
