"""Messages arrive as they were sent, or are refused."""

import json
import pickle

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord

from mmpose_raf.federation import ClientUpdate, TrainRequest
from mmpose_raf.flower.records import (Expected, Terms, pack_refusal,
                                       pack_request, pack_update,
                                       unpack_request, unpack_terms,
                                       unpack_update)
from mmpose_raf.flower.tensors import (LAYOUT, MessageError, pack_state,
                                       unpack_state)
from tests.toy import assert_states_equal

STATE = {
    'w': torch.tensor([[1.5, -0.], [float('inf'), 3.]]),
    'counter': torch.tensor(7),  # as num_batches_tracked
    'half': torch.tensor([1., 2.], dtype=torch.bfloat16),
    'flags': torch.tensor([True, False]),
    'nothing': torch.empty(0, 3),
    'column': torch.arange(6.).reshape(2, 3).t(),  # not contiguous
}
TERMS = Terms('0' * 32, '{}')
EXPECTED = Expected(['w'], dict(resolution=2))
REQUEST = TrainRequest('a', 3, 4, 5, STATE, dict(c=torch.ones(2)))


def update(**changes):
    return ClientUpdate(
        'a', **{
            **dict(state=STATE, num_samples=9, metrics=dict(loss=.1),
                   parameters=['w'], distributions=dict(resolution=[.25, .75]),
                   upload=dict(w=torch.ones(2, 2)), version=5),
            **changes
        })


def test_states_arrive_to_the_bit():
    assert_states_equal(unpack_state(pack_state(STATE)), STATE)


def test_the_bytes_are_those_of_the_layout():
    record = pack_state(dict(w=torch.tensor([[1., 2.]]), n=torch.tensor(3)))
    array, = record.values()
    assert array.stype == LAYOUT
    head, data = array.data.split(b'\n', 1)
    assert json.loads(head) == [['w', 'float32', [1, 2]], ['n', 'int64', []]]
    assert np.frombuffer(data[:8], '<f4').tolist() == [1, 2]
    assert np.frombuffer(data[8:], '<i8').tolist() == [3]


def test_requests_arrive():
    got, taken = unpack_request(pack_request(TERMS, REQUEST, 2))
    assert_states_equal(vars(got), vars(REQUEST))
    assert taken == 2
    assert unpack_terms(pack_request(TERMS, REQUEST, 2)) == TERMS


def test_updates_arrive():
    got = unpack_update(pack_update(update()), REQUEST, EXPECTED)
    assert_states_equal(vars(got), vars(update()))


def broken(record, key, value):
    content = pack_update(update())
    if key is None:
        del content[record]
    else:
        content[record][key] = value
    return content


def with_metrics(count):
    return pack_update(update(metrics={str(i): 0. for i in range(count)}))


def record(head, data, stype=LAYOUT, name='tensors'):
    data = head + b'\n' + data
    return ArrayRecord({name: Array('uint8', (len(data), ), stype, data)})


GOOD = b'[["w", "float32", [2]]]'


@pytest.mark.parametrize('broken', [
    record(GOOD, b'\0' * 7),
    record(GOOD, b'\0' * 9),
    record(GOOD, b'\0' * 8, stype='numpy.ndarray'),
    record(GOOD, b'\0' * 8, name='w'),
    record(pickle.dumps(print), b''),
    record(b'[' * 10**5, b''),
    record(b'{}', b''),
    record(b'[["w", "float32", [2]], ["w", "float32", [0]]]', b'\0' * 8),
    record(b'[["w", "float32", [-2]]]', b''),
    record(b'[["w", "float32", [true]]]', b'\0' * 4),
    record(b'[["w", "float32", [1e9]]]', b''),
    record(b'[["w", "float32", [0, 99999999999999999999999]]]', b''),
    record(b'[["w", "object", [2]]]', b'\0' * 16),
    record(b'[["w", ["float32"], [2]]]', b'\0' * 8),
    record(b'[[3, "float32", [2]]]', b'\0' * 8),
    ArrayRecord(),
])
def test_broken_tensors_are_refused(broken):
    with pytest.raises(MessageError, match='tensor'):
        unpack_state(broken)


def test_the_good_record_is_good():
    state = unpack_state(record(GOOD, b'\0' * 8))
    assert_states_equal(state, dict(w=torch.zeros(2)))


@pytest.mark.parametrize('content, reason', [
    (broken('state', None, None), 'no state'),
    (broken('upload', None, None), 'no upload'),
    (broken('metrics', None, None), 'no metrics'),
    (broken('update', 'num_samples', 0), 'claims 0 samples'),
    (broken('update', 'num_samples', -3), 'claims -3 samples'),
    (broken('update', 'num_samples', 10**15), 'samples'),
    (broken('update', 'num_samples', 'all'), 'num_samples'),
    (broken('update', 'num_samples', True), 'num_samples'),
    (broken('update', 'client', 'b'), "answers as 'b'"),
    (broken('update', 'version', 'x'), 'version'),
    (broken('metrics', 'loss', float('nan')), 'its loss is nan'),
    (broken('metrics', 'loss', [1., 2.]), 'its loss'),
    (broken('metrics', 'a\nb', 1.), 'not to be printed'),
    (broken('metrics', 'a' * 101, 1.), 'too long'),
    (with_metrics(1001), 'tells 1001 metrics'),
    (broken('distributions', 'resolution', [.5, .6]), 'add up'),
    (broken('distributions', 'resolution', [float('nan')] * 2), 'add up'),
    (broken('distributions', 'resolution', [1.]), 'has not 2 shares'),
    (broken('distributions', 'keypoint', [1.]), 'tells its distributions'),
    (pack_refusal('no\nroom'), '^no room$'),
])
def test_broken_updates_are_refused(content, reason):
    with pytest.raises(MessageError, match=reason):
        unpack_update(content, REQUEST, EXPECTED)


def test_a_record_of_another_kind_is_refused():
    content = pack_update(update())
    content['state'] = MetricRecord(dict(w=1.))
    with pytest.raises(MessageError, match='no state'):
        unpack_update(content, REQUEST, EXPECTED)


@pytest.mark.parametrize('run', ['../../etc/passwd', '', 'A' * 32, '0' * 33])
def test_the_name_of_a_run_is_no_path(run):
    content = pack_request(TERMS, REQUEST, 2)
    content['terms'] = ConfigRecord(dict(run=run, training='{}'))
    with pytest.raises(MessageError, match='hexadecimal'):
        unpack_terms(content)
