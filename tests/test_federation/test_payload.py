"""What is lost on the way, and what is not."""

import re
from fractions import Fraction

import pytest
import torch

from mmpose_raf.federation import (ClientUpdate, FedAvg, FederationError,
                                   Payload, Server, StalenessAware)
from mmpose_raf.federation.payload import KINDS, SCALE
from mmpose_raf.federation.state_math import state_bytes
from tests.toy import assert_states_equal

LOSSY = KINDS[1:]
# Wide spread, rows of their own size, and what has no row.
SHAPES = dict(linear=(5, 7), conv=(4, 3, 3, 3), vector=(9, ), number=())


def parameters(seed, size=1.):
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in SHAPES.items():
        # Magnitudes over eight decades.
        value = torch.randn(shape, generator=generator)
        tens = torch.rand(shape, generator=generator) * 8 - 6
        state[name] = value * 10**tens * size
    return state


def whole_state(seed=0, size=1.):
    return dict(
        parameters(seed, size),
        zeros=torch.zeros(3, 2),
        nothing=torch.empty(0, 4),
        running_mean=torch.tensor([1 / 3, 1e30]),
        num_batches_tracked=torch.tensor(2**40 + 1),
        half=torch.tensor([1 / 3]).bfloat16())


def codec(kind):
    return Payload(kind, [*SHAPES, 'zeros', 'nothing', 'half'])


def largest_of_rows(value):
    rows = value.reshape(len(value) if value.dim() > 1 else 1, -1)
    return rows.abs().amax(1, keepdim=True).expand_as(rows).reshape(
        value.shape)


def bound(kind, value):
    """|R(x) - x| in closed form, for each element."""
    size, largest = value.abs().double(), largest_of_rows(value).double()
    if kind == 'bfloat16':
        return size * 2**-8
    if kind == 'float16':
        return torch.maximum(size * 2**-11, largest * 2**-39)
    return largest / 254


@pytest.mark.parametrize('kind', LOSSY)
@pytest.mark.parametrize('size', [1., 1e-20, 1e20])
def test_weights_are_rounded_within_the_bound(kind, size):
    payload, state = codec(kind), whole_state(size=size)
    got = payload.unpack_weights(payload.pack_weights(state), state)
    assert list(got) == list(state)
    down = 'float16' if kind == 'int8' else kind
    for name in SHAPES:
        error = (got[name].double() - state[name].double()).abs()
        assert (error <= bound(down, state[name])).all()
        assert error.any() or not state[name].dim()
    others = state.keys() - SHAPES.keys()
    assert_states_equal({key: got[key] for key in sorted(others)},
                        {key: state[key] for key in sorted(others)})


@pytest.mark.parametrize('kind', LOSSY)
def test_updates_are_rounded_by_their_own_size(kind):
    """However large the weights are, the error is relative to the way."""
    payload = codec(kind)
    server = whole_state(0, size=100.)
    read = payload.unpack_weights(payload.pack_weights(server), server)
    way = parameters(1, size=1e-3)
    trained = {
        key: value + way[key] if key in way else value
        for key, value in read.items()
    }
    trained['running_mean'] = torch.tensor([.1, .2])
    got = payload.unpack_update(payload.pack_update(trained, read), server)
    assert list(got) == list(server)
    for name in SHAPES:
        exact = trained[name].double() - read[name].double()
        error = (got[name].double() - server[name].double() - exact).abs()
        # The sum with the server's weights is rounded as well.
        slack = 2**-23 * server[name].abs() + 1e-6 * exact.abs()
        assert (error <= bound(kind, exact) * (1 + 1e-6) + slack).all()
    assert_states_equal(got['running_mean'], trained['running_mean'])
    assert_states_equal(got['half'], server['half'])


def test_int8_by_hand():
    """A row from -m to m has 255 steps of m / 127."""
    start = dict(w=torch.zeros(2, 4))
    trained = dict(w=torch.tensor([[127., -127., 3.4, -.6],
                                   [0., 0., 0., 0.]]))
    packed = Payload('int8', ['w']).pack_update(trained, start)
    assert packed['w'].tolist() == [[127, -127, 3, -1], [0, 0, 0, 0]]
    assert packed['w'].dtype == torch.int8
    assert packed['w' + SCALE].tolist() == [[1.], [0.]]


def test_float16_is_the_nearest_to_the_last_bit():
    """Against exact fractions: 11 significant bits."""
    value = parameters(3)['linear']
    payload = Payload('float16', ['w'])
    got = payload.unpack_weights(
        payload.pack_weights(dict(w=value)), dict(w=value))['w']
    largest = largest_of_rows(value)
    for x, rounded, top in zip(*(t.flatten().tolist()
                                 for t in (value, got, largest))):
        if abs(x) < top * 2**-28:  # subnormal there
            continue
        step = Fraction(2)**(_exponent(x) - 10)
        assert Fraction(rounded) == round(Fraction(x) / step) * step


def _exponent(x):
    x, exponent = abs(Fraction(x)), 0
    while x >= 2:
        x, exponent = x / 2, exponent + 1
    while x < 1:
        x, exponent = x * 2, exponent - 1
    return exponent


@pytest.mark.parametrize('kind', LOSSY)
def test_a_second_time_nothing_more_is_lost(kind):
    payload = codec(kind)
    start = {key: torch.zeros_like(value)
             for key, value in whole_state().items()}
    once = payload.unpack_update(
        payload.pack_update(whole_state(), start), start)
    twice = payload.unpack_update(payload.pack_update(once, start), start)
    for name in SHAPES:
        assert torch.allclose(once[name], twice[name], rtol=1e-6, atol=0)


@pytest.mark.parametrize('kind, element, scales', [
    ('float32', 4, 0), ('float16', 2, 4), ('bfloat16', 2, 0), ('int8', 1, 4)])
def test_bytes(kind, element, scales):
    """Rows: five, four and a vector and a number of one each."""
    payload, state = Payload(kind, SHAPES), parameters(0)
    elements = sum(value.numel() for value in state.values())
    size = state_bytes(payload.pack_update(state, parameters(1)))
    assert size == elements * element + (5 + 4 + 1 + 1) * scales
    assert state_bytes(payload.layout(state)) == size
    down = 'float16' if kind == 'int8' else kind
    assert state_bytes(payload.pack_weights(state)) == state_bytes(
        Payload(down, SHAPES).pack_update(state, parameters(1)))


def test_float32_is_what_it_was():
    payload, state = codec('float32'), whole_state()
    assert payload.pack_weights(state) is state
    assert payload.unpack_weights(state, state) is state
    assert payload.pack_update(state, whole_state(1)) is state
    assert payload.unpack_update(state, whole_state(1)) is state


def test_unknown_kinds():
    with pytest.raises(FederationError, match="kind must be one of"):
        Payload('int4')


def state(value):
    return dict(w=torch.tensor([[value, 0.], [0., 1e-3]]),
                running_mean=torch.tensor([value]))


def server(kind, aggregator=None):
    return Server(state(1 / 3), aggregator or FedAvg(), num_clients=2,
                  payload=Payload(kind, ['w']))


def answer(server, client, way, **changes):
    """What a client that has gone this way sends."""
    own = server.in_flight[client].state
    start = server.payload.unpack_weights(server.sent(client).state, own)
    trained = {key: value + way for key, value in start.items()}
    packed = server.payload.pack_update(trained, start)
    return ClientUpdate(client, {**packed, **changes}, 1,
                        version=server.in_flight[client].version)


@pytest.mark.parametrize('kind', LOSSY)
@pytest.mark.parametrize('aggregator', [FedAvg, StalenessAware])
def test_the_server_loses_nothing_of_its_own_weights(kind, aggregator):
    """Clients that stay where they are leave them as they are."""
    a_server = server(kind, aggregator())
    before = a_server.state['w']
    for client in 'ab':
        sent = a_server.request(client, 0)
        assert sent.state['w'].element_size() == 2
        assert a_server.receive(answer(a_server, client, 0.)) is None
    report = a_server.close_round()
    assert torch.equal(a_server.state['w'], before)
    assert [u.metrics['update_norm'] for u in report.updates] == [0, 0]


@pytest.mark.parametrize('kind', KINDS)
def test_traffic_counts_what_travels(kind):
    a_server = server(kind)
    down = state_bytes(a_server.request('a', 0).state)
    update = answer(a_server, 'a', .1)
    up = state_bytes(update.state)
    a_server.receive(update)
    assert vars(a_server.close_round().traffic) == dict(
        down=down, up=up, visits=1)
    if kind == 'int8':  # four codes, two scales, a buffer
        assert up == 4 + 8 + 4


@pytest.mark.parametrize('changes, reason', [
    ({'w': torch.zeros(2, 2)}, 'torch.float32 instead of'),
    ({'w': torch.zeros(2, 3, dtype=torch.int8)}, r'shape \(2, 3\)'),
    ({'w' + SCALE: torch.ones(2)}, r"'w/scale' has shape \(2,\)"),
    ({'w' + SCALE: torch.full((2, 1), torch.nan)}, 'not finite'),
    # 127 times it is infinite.
    ({'w': torch.full((2, 2), 127, dtype=torch.int8),
      'w' + SCALE: torch.full((2, 1), 3e38)}, 'not finite'),
    ({'v' + SCALE: torch.ones(2, 1)}, "'v/scale' is unknown"),
])
def test_updates_that_are_packed_otherwise_are_refused(changes, reason):
    a_server = server('int8')
    a_server.request('a', 0)
    refusal = a_server.receive(answer(a_server, 'a', .1, **changes))
    assert refusal is not None
    assert re.search(reason, refusal)
    assert a_server.close_round().traffic.up == 0
