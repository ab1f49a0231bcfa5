"""The server: which weights it keeps, and what it hands on."""

import pytest
import torch

from mmpose_raf.federation import (SCAFFOLD, ClientUpdate, FedAvg, FedAvgM,
                                   FedDyn, Server, TrimmedMean)


def state(value):
    return dict(w=torch.tensor([value]))


def update(value):
    return ClientUpdate('client', state(value), 1)


def test_versions_that_are_awaited():
    server = Server(state(0.), FedAvg(), None, 2)
    server.merge([update(1.)], awaited={0})
    server.merge([update(2.)], awaited={0, 1})
    assert [server.versions[i]['w'].item() for i in (0, 1, 2)] == [0, 1, 2]
    server.merge([update(3.)], awaited={1})
    assert sorted(server.versions) == [1, 3]
    server.merge([])
    assert server.version == 4 and list(server.versions) == [4]
    assert server.state['w'] == 3


def test_the_old_weights_are_not_touched():
    first = state(0.)
    server = Server(first, FedAvg(), None, 1)
    server.merge([update(5.)])
    assert first['w'] == 0


def test_resume():
    def make():
        return Server(state(0.), FedAvgM(momentum=.5), SCAFFOLD(), 3)

    whole, broken = make(), make()
    for value in (1., 4.):
        whole.merge([update(value)], awaited={0})
        broken.merge([update(value)], awaited={0})
    again = make()
    again.state = broken.state
    again.load_state_dict(broken.state_dict())
    for server in (whole, again):
        server.merge([update(-2.)], awaited={2})
    assert again.state['w'] == whole.state['w']
    assert again.version == whole.version == 3
    assert again.versions.keys() == whole.versions.keys() == {2, 3}


@pytest.mark.parametrize('make', [SCAFFOLD, lambda: FedDyn(.3)])
def test_the_servers_side_keeps_up_where_updates_are_too_few(make):
    """The clients' states have moved; so must their mean."""
    server = Server(state(0.), TrimmedMean(), make(), 3)
    objective = server.objective
    for clients in ('abc', 'ab', 'abc'):
        before = server.state
        updates = []
        for number, client in enumerate(clients):
            trained = state(1. + number)
            objective.gradient(client, trained, before)
            objective.finish_client(client, trained, before, dict(w=.5))
            updates.append(ClientUpdate(client, trained, 1))
        server.merge(updates)
        if len(clients) < 3:
            assert server.state is before
        total = sum(own['w'] for own in objective.clients.values())
        torch.testing.assert_close(objective.server['w'], total / 3)


def test_who_has_enough():
    server = Server(state(0.), TrimmedMean(), None, 3)
    assert not server.has_enough([update(1.)] * 2)
    assert server.has_enough([update(1.)] * 3)
    assert not server.can_fold


def test_uploads_are_forgotten_after_the_round():
    server = Server(state(0.), FedAvg(), SCAFFOLD(), 2)
    for value in (1., 2.):
        server.objective.finish_client('a', state(value), server.state,
                                       dict(w=1.))
        assert list(server.objective.uploads) == ['a']
        server.merge([update(value)])
        assert not server.objective.uploads
