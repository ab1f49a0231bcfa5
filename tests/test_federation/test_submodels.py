"""Parts of a model, and averages over those who hold an entry."""

import numpy as np
import pytest
import torch

from mmpose_raf.federation import (ClientUpdate, FedAvg, FederationError,
                                   FedRolex, HeteroFL, Layout, Server,
                                   Submodel, held_channels)


@pytest.mark.parametrize('wide, narrow, layout, shift, expected', [
    (4, 2, Layout(), 0, [0, 1]),
    (4, 3, Layout(), 2, [2, 3, 0]),
    (4, 2, Layout(), 5, [1, 2]),
    (8, 4, Layout(blocks=2), 0, [0, 1, 4, 5]),
    (8, 4, Layout(blocks=2), 3, [3, 0, 7, 4]),
    # Two heads of two channels in queries, keys and values; one is held.
    (12, 6, Layout(blocks=3, unit=2), 0, [0, 1, 4, 5, 8, 9]),
    (12, 6, Layout(blocks=3, unit=2), 1, [2, 3, 6, 7, 10, 11]),
    (5, 5, Layout(), 2, [2, 3, 4, 0, 1]),
])
def test_held_channels(wide, narrow, layout, shift, expected):
    assert held_channels(wide, narrow, layout, shift).tolist() == expected


@pytest.mark.parametrize('wide, narrow, layout', [
    (4, 0, Layout()),
    (4, 5, Layout()),
    (8, 3, Layout(blocks=2)),
    (12, 6, Layout(unit=4)),
    (9, 6, Layout(blocks=3, unit=2)),
])
def test_what_cannot_be_held(wide, narrow, layout):
    with pytest.raises(FederationError, match=f'of {wide} channels'):
        held_channels(wide, narrow, layout)


# Two layers, the second of two heads of which one is held.
WIDE = dict(a=(4, 3), b=(2, 4), count=())
NARROW = dict(a=(2, 3), b=(1, 2), count=())
LAYOUTS = {('a', 0): Layout(unit=2), ('b', 1): Layout(unit=2)}
# By shift: rows of a, which are the columns of b, and rows of b.
ROWS = {0: ([0, 1], [0]), 1: ([2, 3], [1]), 2: ([0, 1], [0])}


def random_state(rng, shapes):
    return {
        key: torch.tensor(rng.normal(size=shape)) if shape else torch.tensor(
            int(rng.integers(9)))
        for key, shape in shapes.items()
    }


def test_take():
    rng = np.random.default_rng(0)
    submodel = Submodel(WIDE, dict(NARROW, held=(2, )), LAYOUTS,
                        dict(held=(4, Layout(unit=2))))
    wide = random_state(rng, WIDE)
    for shift, (rows, others) in ROWS.items():
        part = submodel.take(wide, shift)
        assert torch.equal(part['a'], wide['a'][rows])
        assert torch.equal(part['b'], wide['b'][others][:, rows])
        assert part['count'] == wide['count']
        assert part['held'].tolist() == rows
    assert list(submodel.take({'b': wide['b']})) == ['b', 'held']


@pytest.mark.parametrize('narrow, message', [
    (dict(a=(2, 3), b=(1, 2)), "'count' is in one"),
    (dict(NARROW, more=()), "'more' is in one"),
    (dict(NARROW, a=(2, )), "'a' has 2 and 1 dimensions"),
    (dict(NARROW, b=(1, 3)), 'of 4 channels'),
])
def test_what_is_no_part(narrow, message):
    with pytest.raises(FederationError, match=message):
        Submodel(WIDE, narrow, LAYOUTS)


def merge_by_hand(before, updates, weights, version, is_rolling):
    """The mean, element by element, with the definition's loops."""
    after = {}
    for key in ('a', 'b'):
        after[key] = before[key].numpy().copy()
        for place in np.ndindex(*WIDE[key]):
            total = mass = 0
            for update, weight in zip(updates, weights):
                rows, others = ROWS[version if is_rolling else 0]
                if update.client == 'wide':
                    own = place
                elif key == 'a' and place[0] in rows:
                    own = rows.index(place[0]), place[1]
                elif key == 'b' and place[0] in others and place[1] in rows:
                    own = others.index(place[0]), rows.index(place[1])
                else:
                    continue
                total += weight * update.state[key].numpy()[own]
                mass += weight
            if mass:
                after[key][place] = total / mass
    after['count'] = max(update.state['count'].item() for update in updates)
    return after


@pytest.mark.parametrize('weighting', ['uniform', 'samples'])
@pytest.mark.parametrize('names', [('wide', 'low', 'tiny'), ('low', 'tiny')])
@pytest.mark.parametrize('kind', [HeteroFL, FedRolex])
def test_rounds_are_those_of_the_definition(kind, names, weighting):
    rng = np.random.default_rng(1)
    aggregator = kind(weighting)
    submodel = Submodel(WIDE, NARROW, LAYOUTS)
    aggregator.submodels = dict(low=submodel, tiny=submodel)
    server = Server(random_state(rng, WIDE), aggregator)
    for version in range(3):
        before, updates = server.state, []
        for name, count in zip(names, (5, 2, 9)):
            request = server.request(name, version)
            assert request.state['a'].shape == (4 if name == 'wide' else 2, 3)
            state = {
                key: value + torch.tensor(rng.normal(size=value.shape))
                if value.is_floating_point() else value + 1
                for key, value in request.state.items()
            }
            updates.append(
                ClientUpdate(name, state, count, version=request.version))
            assert server.receive(updates[-1]) is None
        report = server.close_round()
        weights = [1] * 3 if weighting == 'uniform' else [5, 2, 9]
        expected = merge_by_hand(before, updates, weights, version,
                                 kind is FedRolex)
        for key, value in expected.items():
            np.testing.assert_allclose(server.state[key].numpy(), value)
        # A client's way is as long as that of what it holds.
        for update, told in zip(updates, report.updates):
            start = aggregator.part_of(before, update.client, version)
            length = sum((update.state[key] - start[key]).square().sum()
                         for key in 'ab').sqrt()
            assert told.metrics['update_norm'] == pytest.approx(length.item())
            assert 'update_cosine' not in told.metrics
    # Rolling on, all is trained in the end.
    assert report.traffic.down < 3 * sum(
        value.numel() * value.element_size() for value in before.values())


@pytest.mark.parametrize('kind', [HeteroFL, FedRolex])
def test_whole_clients_are_averaged_as_ever(kind):
    rng = np.random.default_rng(2)
    updates = [ClientUpdate(name, random_state(rng, WIDE), 3)
               for name in 'abc']
    start = random_state(rng, WIDE)
    expected = FedAvg().aggregate(start, updates)
    for key, value in kind().aggregate(start, updates).items():
        torch.testing.assert_close(value, expected[key])


def test_a_narrow_clients_update_must_have_its_shape():
    aggregator = HeteroFL()
    aggregator.submodels = dict(low=Submodel(WIDE, NARROW, LAYOUTS))
    state = random_state(np.random.default_rng(3), WIDE)
    server = Server(state, aggregator)
    server.request('low', 0)
    refusal = server.receive(ClientUpdate('low', state, 1))
    assert refusal == ("'a' has shape (4, 3) and torch.float64 instead of "
                       '(2, 3) and torch.float64')
