"""Checkpoints as tensors and plain values."""

import collections
import enum
import functools
import logging
import pickle
import pickletools
import zipfile
from collections import OrderedDict, deque
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np
from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmpose_raf.checkpoints import decode, encode
from mmpose_raf.errors import ConfigError
from tests.test_checkpoints.comparing import assert_one_line, assert_same


@pytest.fixture
def logged(monkeypatch):
    """What encode logs, as (message, level)."""
    messages = []
    monkeypatch.setattr(
        'mmpose_raf.checkpoints.encoding.print_log',
        lambda message, logger, level: messages.append((message, level)))
    return messages


def through_file(value, path):
    """What remains of a value after a file read by PyTorch alone."""
    torch.save(encode(value), path)
    return decode(torch.load(path, weights_only=True))


# -- what is written and restored --------------------------------------------

arrays = st_np.arrays(
    st.one_of(
        st_np.scalar_dtypes(), st_np.unicode_string_dtypes(),
        st_np.byte_string_dtypes(), st_np.nested_dtypes(max_itemsize=100)),
    st_np.array_shapes(min_dims=0, min_side=0, max_side=3))
atoms = st.one_of(st.none(), st.booleans(),
                  st.integers(-2**1000, 2**1000), st.floats(), st.text(),
                  st.binary(), st.complex_numbers(),
                  st.just(torch.device('cuda', 1)),
                  st.sampled_from([torch.float32, torch.int64]),
                  st.just(torch.Size([2, 3])), st.just('__mmpose_raf__'),
                  st.just(Path('a/b')))
keys = st.one_of(atoms, st.frozensets(atoms, max_size=2),
                 st.tuples(atoms, atoms))
buffers = st.builds(
    lambda history, length: HistoryBuffer(
        history[-length:], [1] * len(history[-length:]), length),
    st.lists(st.floats()), st.integers(1, 9))
leaves = st.one_of(
    atoms, arrays, buffers, st.sets(atoms, max_size=3),
    st.frozensets(atoms, max_size=3), st.builds(bytearray, st.binary()),
    st_np.arrays(np.float32, (2, 3)).map(torch.from_numpy))


def containers(items):
    pairs = st.lists(st.tuples(keys, items), max_size=4)
    return st.one_of(
        st.lists(items, max_size=4),
        st.lists(items, max_size=4).map(tuple),
        st.builds(deque, st.lists(items, max_size=4),
                  st.sampled_from([None, 2])), pairs.map(dict),
        pairs.map(OrderedDict),
        st_np.arrays(object, 2, elements=st.one_of(st.text(), st.floats())))


@settings(max_examples=300, deadline=None)
@given(st.recursive(leaves, containers, max_leaves=12))
def test_round_trip(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / 'round_trip.pth'
    assert_same(value, through_file(value, path))
    assert_same(value, decode(encode(value)))
    assert_same(value, decode(decode(encode(encode(value)))))


@pytest.mark.parametrize('array', [
    np.arange(6.).reshape(2, 3).T,
    np.arange(6.)[::-2],
    np.array(7),
    np.zeros((0, 3)),
    np.array(['nose', 'left_eye']),
    np.array([b'a', b'bc']),
    np.array([1, 2], '>i4'),
    np.array(['2020-01-01'], 'datetime64[D]'),
    np.array([(1, 2.)], [('x', 'i4'), ('y', 'f8', (2, ))]),
    np.array([True, False]),
    np.array([1 + 2j]),
    np.array([2**63], np.uint64),
    np.array(['a', None, 1.5, (1, 2), [3, 'b']], object),
    np.array([['a', 'bc'], ['d', 'e']], object).T,
    np.array('alone', object),
], ids=str)  # yapf: disable
def test_arrays(array, tmp_path):
    assert_same(array.copy('K'), through_file(array, tmp_path / 'a.pth'))


def test_array_of_lists(tmp_path):
    """It does not become an array of one more dimension."""
    array = np.empty(2, object)
    array[:] = [1, 2], [3, 4]
    assert_same(array, through_file(array, tmp_path / 'a.pth'))


@pytest.mark.parametrize('scalar, plain', [
    (np.float32(0.5), 0.5), (np.float64(0.1), 0.1), (np.int8(-3), -3),
    (np.uint64(2**63), 2**63), (np.bool_(True), True), (np.str_('a'), 'a'),
    (np.bytes_(b'a'), b'a'), (np.complex64(1j), 1j)])  # yapf: disable
def test_scalars(scalar, plain, tmp_path):
    assert_same(plain, through_file(scalar, tmp_path / 'a.pth'))
    assert_same({plain: 1}, through_file({scalar: 1}, tmp_path / 'a.pth'))


def test_subclasses_become_plain(tmp_path):
    point = collections.namedtuple('Point', 'x y')
    kinds = enum.Enum('Kinds', dict(A='a'), type=str)
    levels = enum.IntEnum('Levels', 'LOW')
    value = [
        point(1, 2.), kinds.A, levels.LOW,
        collections.defaultdict(list, a=1),
        collections.Counter('aa')
    ]
    expected = [(1, 2.), 'a', 1, dict(a=1), dict(a=2)]
    assert_same(expected, through_file(value, tmp_path / 'a.pth'))


def test_history_buffer_goes_on(tmp_path):
    buffer = HistoryBuffer(max_length=3)
    for value in (1, 2.5, 4, 8):
        buffer.update(value)
    restored = through_file(buffer, tmp_path / 'a.pth')
    restored.update(16)
    assert restored.data[0].tolist() == [4, 8, 16]
    assert restored.mean(2) == 12


class TestTensors:

    def test_are_shared(self):
        tensor = torch.ones(2)
        parameter = nn.Parameter(tensor)
        encoded = encode(dict(a=tensor, b=[parameter]))
        assert encoded['a'] is tensor and encoded['b'][0] is parameter
        assert decode(encoded)['a'] is tensor

    def test_extras_go(self, tmp_path):

        class Tagged(torch.Tensor):
            pass

        tagged = torch.ones(2).as_subclass(Tagged)
        attribute = torch.ones(2)
        attribute.owner = object()
        for tensor in (tagged, attribute):
            encoded = encode(tensor)
            assert encoded.data_ptr() == tensor.data_ptr()
            assert_same(torch.ones(2), through_file(tensor, tmp_path / 'a'))

    def test_state_dict(self, tmp_path):
        state_dict = nn.Sequential(nn.BatchNorm1d(2)).state_dict()
        restored = through_file(state_dict, tmp_path / 'a.pth')
        assert_same(state_dict, restored)
        assert restored._metadata['0'] == dict(version=2)


def test_sharing_is_kept(tmp_path):
    shared = [np.ones(2)]
    first, second, array = through_file([shared, shared, shared[0]],
                                        tmp_path / 'a.pth')
    assert first is second and array is first[0]


def test_argument_is_not_changed():
    value = OrderedDict(a=[np.ones(2), {np.int64(1): deque([1])}])
    before = pickle.dumps(value)
    encoded = encode(value)
    assert pickle.dumps(value) == before
    before = pickle.dumps(encoded)
    decode(encoded)
    assert pickle.dumps(encoded) == before


def test_file_suits_every_pytorch(tmp_path):
    """Those since 2.1 take these names, and pickle's protocol 2."""
    values = [
        np.ones(2), {1}, b'a', 1j, torch.device('cpu'), Path('a'), deque([1]),
        HistoryBuffer(), OrderedDict(a=torch.ones(2)), torch.float32,
        torch.Size([1]), nn.Parameter(torch.ones(1))
    ]
    torch.save(encode(values), tmp_path / 'a.pth')
    with zipfile.ZipFile(tmp_path / 'a.pth') as file:
        pkl = next(name for name in file.namelist() if 'data.pkl' in name)
        ops = list(pickletools.genops(file.read(pkl)))
    assert {arg for op, arg, _ in ops if op.name == 'GLOBAL'} <= {
        'collections OrderedDict', 'torch FloatStorage', 'torch ByteStorage',
        'torch Size', 'torch float32', 'torch._utils _rebuild_tensor_v2',
        'torch._utils _rebuild_parameter'
    }
    assert max(op.proto for op, _, _ in ops) <= 2


class TestLeftOut:

    def test_warning(self, logged, tmp_path):
        scorer = functools.partial(max)
        hub = dict(
            runtime_info=dict(scorer=scorer, iter=3),
            log_scalars=OrderedDict(loss=HistoryBuffer([1], [1])))
        value = dict(
            message_hub=hub,
            meta=dict(hooks=[1, len, 3]),
            masked=np.ma.masked_array([1], [True]),
            records=np.zeros(1, [('a', object)]))
        restored = through_file(value, tmp_path / 'a.pth')
        assert restored['message_hub']['runtime_info'] == dict(iter=3)
        assert restored['meta'] == dict(hooks=[1, None, 3])
        assert set(restored) == {'message_hub', 'meta'}
        (message, level), = logged
        assert level == logging.WARNING
        assert '--resume' in message
        for place in ('message_hub.runtime_info.scorer (partial)',
                      'meta.hooks[1] (builtin_function_or_method)',
                      'masked (MaskedArray)', 'records (ndarray)'):
            assert place in message
        assert 'loss' not in message and 'iter' not in message

    def test_keys(self, logged, tmp_path):
        value = {len: 1, b'bytes': 2, frozenset([1]): len}
        restored = through_file(value, tmp_path / 'a.pth')
        assert restored == {b'bytes': 2}
        assert len(logged) == 1

    def test_all(self, logged):
        assert encode(len) is None
        assert len(logged) == 1

    def test_nothing(self, logged):
        encode(dict(a=np.ones(2), b=None))
        assert logged == []


@pytest.mark.parametrize('encoding', [
    dict(__mmpose_raf__='a_later_kind'),
    dict(__mmpose_raf__='array', dtype='<f4'),
    dict(__mmpose_raf__='array', dtype='|O', shape=(2, ), order='C', data=[1]),
    dict(__mmpose_raf__='array', dtype=[('a', '|O')], shape=(1, ), order='C',
         data=torch.zeros(8, dtype=torch.uint8)),
    dict(__mmpose_raf__='complex', real='import os', imag=0),
    dict(__mmpose_raf__=[]),
], ids=str)  # yapf: disable
def test_damaged_encoding(encoding, tmp_path):
    path = str(tmp_path / 'a.pth')
    torch.save(dict(meta=encoding), path)
    with pytest.raises(ConfigError, match='cannot be read') as error:
        CheckpointLoader.load_checkpoint(path)
    assert_one_line(error)


def test_later_encoding():
    with pytest.raises(ValueError, match='a_later_kind'):
        decode([dict(__mmpose_raf__='a_later_kind')])
