"""Checkpoints of tensors and plain values."""

import collections
import enum
import functools
import http.server
import logging
import os
import pickle
import pickletools
import subprocess
import sys
import threading
import zipfile
from collections import OrderedDict, deque
from pathlib import Path

import mmengine.runner.checkpoint
import mmengine.runner.runner
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel, BaseModule
from mmengine.runner import Runner, load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmpose_raf.errors import ConfigError
from mmpose_raf.safe_checkpoint import decode, encode

TRUST = 'MMPOSE_RAF_TRUST_CHECKPOINT'
FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
FORCE_NO = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in (TRUST, FORCE, FORCE_NO):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def logged(monkeypatch):
    """What encode logs, as (message, level)."""
    messages = []
    monkeypatch.setattr(
        'mmpose_raf.safe_checkpoint.print_log',
        lambda message, logger, level: messages.append((message, level)))
    return messages


def through_file(value, path):
    """What remains of a value after a file read by PyTorch alone."""
    torch.save(encode(value), path)
    return decode(torch.load(path, weights_only=True))


def assert_same(a, b):
    """Equal in types, values, orders and attributes, NaN being equal."""
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert a.numpy().tobytes() == b.numpy().tobytes()
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert a.flags.fnc == b.flags.fnc and b.flags.writeable
        if a.dtype == object:
            assert_same(a.ravel().tolist(), b.ravel().tolist())
        else:
            assert a.tobytes() == b.tobytes()
    elif isinstance(a, HistoryBuffer):
        assert a.max_length == b.max_length
        assert_same(a.data, b.data)
    elif isinstance(a, dict):
        # The order of the keys is a part of it.
        assert_same(list(a), list(b))
        assert_same(list(a.values()), list(b.values()))
        assert_same(getattr(a, '_metadata', 0), getattr(b, '_metadata', 0))
    elif isinstance(a, (list, tuple, deque)):
        assert len(a) == len(b)
        assert getattr(a, 'maxlen', 0) == getattr(b, 'maxlen', 0)
        for item_a, item_b in zip(a, b):
            assert_same(item_a, item_b)
    elif isinstance(a, (set, frozenset)):
        assert set(map(repr, a)) == set(map(repr, b))
    else:
        assert a == b or repr(a) == repr(b)


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


# -- what is refused ---------------------------------------------------------


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


class Unpickled:
    """An object of a class, as harmless as it is."""


@pytest.fixture
def malicious(tmp_path):
    """A file that pretends to be a checkpoint, and what it would create."""
    path, trace = tmp_path / 'malicious.pth', tmp_path / 'trace'
    torch.save(
        dict(
            state_dict=Net().state_dict(),
            meta=dict(epoch=1, iter=1),
            message_hub=Payload(trace)), path)
    return str(path), trace


def assert_one_line(error):
    assert len(str(error.value).splitlines()) == 1
    assert error.value.__cause__ is None
    assert error.value.__context__ is None


class Net(BaseModule):

    def __init__(self, init_cfg=None):
        super().__init__(init_cfg)
        self.linear = nn.Linear(2, 1)


class ToyModel(BaseModel):

    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, inputs, sample_idx, mode):
        inputs = torch.stack(inputs)
        return dict(loss=self.net.linear(inputs).square().mean())


class ToyDataset(BaseDataset):
    METAINFO = dict(
        names=np.array(['nose', 'eye']),
        sigmas=np.array([0.1, 0.2], np.float32),
        links=[(0, 1)],
        classes=('person', ))

    def load_data_list(self):
        return [dict(inputs=torch.full((2, ), i / 4.)) for i in range(4)]


class RememberHook(Hook):
    """Puts things into the message hub that PyTorch does not take."""

    def after_train_iter(self, runner, batch_idx, **kwargs):
        runner.message_hub.update_scalar('train/np', np.float32(0.5))
        runner.message_hub.update_info('recent', deque([runner.iter], 2))
        runner.message_hub.update_info('weights', np.arange(3.))
        runner.message_hub.update_info('best', np.float64(0.25))


def build_runner(work_dir, name, max_epochs=1, **kwargs):
    return Runner(
        model=ToyModel(),
        work_dir=str(work_dir),
        experiment_name=name,
        train_dataloader=dict(
            dataset=ToyDataset(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
            batch_size=2),
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.1)),
        param_scheduler=dict(type='ExponentialLR', gamma=0.5),
        custom_hooks=[RememberHook()],
        **kwargs)


@pytest.mark.slow
class TestRefusal:

    def check(self, error, path, trace):
        assert_one_line(error)
        message = str(error.value)
        assert message.startswith(f'{path}: ')
        assert 'open' in message
        assert f'{TRUST}={path}' in message
        assert not trace.exists()

    def test_load_checkpoint(self, malicious):
        path, trace = malicious
        with pytest.raises(ConfigError) as error:
            load_checkpoint(Net(), path)
        self.check(error, path, trace)

    @pytest.mark.parametrize('resume', [False, True])
    def test_runner(self, malicious, tmp_path, resume):
        path, trace = malicious
        runner = build_runner(
            tmp_path, f'refused_{resume}', load_from=path, resume=resume)
        with pytest.raises(ConfigError) as error:
            runner.train()
        self.check(error, path, trace)

    def test_pretrained(self, malicious):
        path, trace = malicious
        net = Net(dict(type='Pretrained', checkpoint=path))
        with pytest.raises(ConfigError) as error:
            net.init_weights()
        self.check(error, path, trace)

    @pytest.mark.parametrize('new_format', [True, False])
    def test_loader_that_unpickles(self, tmp_path, monkeypatch, new_format):
        """Neither registered loaders nor old formats get around it."""
        monkeypatch.setattr(CheckpointLoader, '_schemes',
                            CheckpointLoader._schemes.copy())

        @CheckpointLoader.register_scheme(prefixes='careless://')
        def load_from_careless(filename, map_location):
            path = filename[len('careless://'):]
            return torch.load(path, map_location, weights_only=False)

        path, trace = tmp_path / 'a.pth', tmp_path / 'trace'
        torch.save(
            Payload(trace), path, _use_new_zipfile_serialization=new_format)
        with pytest.raises(ConfigError) as error:
            CheckpointLoader.load_checkpoint(f'careless://{path}')
        assert_one_line(error)
        assert 'open' in str(error.value) and not trace.exists()

    def test_download(self, malicious, tmp_path, monkeypatch):
        path, trace = malicious
        monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch_home'))

        class Handler(http.server.SimpleHTTPRequestHandler):

            def log_message(self, *args):
                """Quiet."""

        server = http.server.HTTPServer(
            ('127.0.0.1', 0),
            functools.partial(Handler, directory=str(tmp_path)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_port}/malicious.pth'
        with pytest.raises(ConfigError) as error:
            CheckpointLoader.load_checkpoint(url)
        server.shutdown()
        server.server_close()
        assert_one_line(error)
        assert url in str(error.value) and TRUST in str(error.value)
        assert not trace.exists()

    def test_stock_checkpoint(self, tmp_path):
        path = tmp_path / 'stock.pth'
        torch.save(dict(buffer=HistoryBuffer([1], [1])), path)
        with pytest.raises(ConfigError, match='HistoryBuffer'):
            CheckpointLoader.load_checkpoint(str(path))


class TestTrust:

    def test_payload_runs(self, malicious, monkeypatch):
        """That is, the payload of the other tests is not a dud."""
        path, trace = malicious
        monkeypatch.setenv(TRUST, path)
        load_checkpoint(Net(), path)
        assert trace.exists()

    def test_stock_checkpoint(self, tmp_path, monkeypatch):
        path = tmp_path / 'stock.pth'
        stock = dict(
            message_hub=dict(loss=HistoryBuffer([1.5], [1])),
            meta=dict(sigmas=np.ones(2), seed=np.int64(3)))
        torch.save(stock, path)
        monkeypatch.setenv(TRUST, str(path))
        assert_same(stock, CheckpointLoader.load_checkpoint(str(path)))

    @pytest.mark.parametrize('trusted, works', [
        ('{folder}/real.pth', True),
        ('{folder}/link.pth', True),
        ('relative.pth{sep}{folder}/sub/../real.pth', True),
        ('real.pth', True),
        ('{folder}/other.pth', False),
        ('{folder}', False),
        ('{folder}/*', False),
        ('*', False),
        ('1', False),
        ('', False),
    ])
    def test_paths(self, tmp_path, monkeypatch, trusted, works):
        torch.save(Unpickled(), tmp_path / 'real.pth')
        torch.save(Unpickled(), tmp_path / 'other.pth')
        (tmp_path / 'sub').mkdir()
        (tmp_path / 'link.pth').symlink_to('real.pth')
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv(TRUST,
                           trusted.format(folder=tmp_path, sep=os.pathsep))
        for name in ('real.pth', str(tmp_path / 'link.pth')):
            if works:
                loaded = CheckpointLoader.load_checkpoint(name)
                assert isinstance(loaded, Unpickled)
            else:
                with pytest.raises(ConfigError):
                    CheckpointLoader.load_checkpoint(name)

    def test_a_file_of_the_same_name(self, tmp_path, monkeypatch):
        for folder in ('a', 'b'):
            (tmp_path / folder).mkdir()
            torch.save(Unpickled(), tmp_path / folder / 'x.pth')
        monkeypatch.setenv(TRUST, str(tmp_path / 'a' / 'x.pth'))
        CheckpointLoader.load_checkpoint(str(tmp_path / 'a' / 'x.pth'))
        with pytest.raises(ConfigError):
            CheckpointLoader.load_checkpoint(str(tmp_path / 'b' / 'x.pth'))

    @pytest.mark.filterwarnings('ignore:Environment variable')
    def test_pytorchs_own_variable(self, tmp_path, monkeypatch):
        torch.save(Unpickled(), tmp_path / 'a.pth')
        monkeypatch.setenv(FORCE_NO, '1')
        loaded = CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))
        assert isinstance(loaded, Unpickled)

    @pytest.mark.parametrize('before', [None, '0', '1'])
    def test_environment_is_restored(self, tmp_path, monkeypatch, before):
        torch.save(Unpickled(), tmp_path / 'bad.pth')
        torch.save(1, tmp_path / 'good.pth')
        if before is not None:
            monkeypatch.setenv(FORCE, before)
        environment = dict(os.environ)
        assert CheckpointLoader.load_checkpoint(
            str(tmp_path / 'good.pth')) == 1
        assert dict(os.environ) == environment
        with pytest.raises(ConfigError):
            CheckpointLoader.load_checkpoint(str(tmp_path / 'bad.pth'))
        assert dict(os.environ) == environment


class TestDamagedFile:

    @pytest.mark.parametrize('content', [
        b'', b'hello world\n', b'<!DOCTYPE html><html>Not found</html>',
        b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n',
        b'PK\x03\x04' + bytes(50), b'\x80\x04\x95\x00'
    ])  # yapf: disable
    def test_other_content(self, tmp_path, content):
        self.check(tmp_path / 'a.pth', content)

    @pytest.mark.parametrize('kept', [0.1, 0.5, 0.9, 0.99])
    def test_truncated(self, tmp_path, kept):
        path = tmp_path / 'a.pth'
        torch.save(encode(dict(a=torch.ones(1000), b=np.ones(2))), path)
        content = path.read_bytes()
        self.check(path, content[:int(kept * len(content))])

    def check(self, path, content):
        path.write_bytes(content)
        with pytest.raises(ConfigError) as error:
            load_checkpoint(Net(), str(path))
        assert_one_line(error)
        message = str(error.value)
        assert message.startswith(f'{path}: cannot be read')
        assert TRUST not in message and 'weights_only' not in message

    def test_other_errors_stay(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            CheckpointLoader.load_checkpoint(str(tmp_path / 'missing.pth'))
        with pytest.raises(KeyError):
            CheckpointLoader.load_checkpoint('mmcls://no_such_model')

    @pytest.mark.skipif(torch.cuda.is_available(), reason='has the device')
    def test_missing_device(self, tmp_path):
        torch.save(torch.ones(1), tmp_path / 'a.pth')
        # torch 2.1 wraps it into an UnpicklingError.
        with pytest.raises((RuntimeError, pickle.UnpicklingError),
                           match='^(?!.*copy or download).*CUDA'):
            CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'), 'cuda')


# -- MMEngine ----------------------------------------------------------------


def test_install():
    save = mmengine.runner.checkpoint.save_checkpoint
    assert save is mmengine.runner.save_checkpoint
    assert save is mmengine.runner.runner.save_checkpoint
    assert save.__wrapped__ is not save


PLAIN = '''
import sys
import torch
from mmengine.runner import load_checkpoint
model = torch.nn.Sequential()
model.net = torch.nn.Sequential()
model.net.linear = torch.nn.Linear(2, 1)
checkpoint = load_checkpoint(model, sys.argv[1], strict=True)
assert not any(name.startswith('mmpose_raf') for name in sys.modules)
print(checkpoint['meta']['epoch'], model.net.linear.weight.tolist())
'''


def test_runner(tmp_path):
    """Train, save, resume and go on."""
    first = build_runner(tmp_path, 'first')
    first.train()
    path = str(tmp_path / 'epoch_1.pth')
    weight = first.model.net.linear.weight.tolist()

    raw = torch.load(path, weights_only=True)
    assert raw['state_dict']['net.linear.weight'].tolist() == weight
    assert raw['meta']['epoch'] == 1

    second = build_runner(
        tmp_path, 'second', max_epochs=2, load_from=path, resume=True)
    second.load_or_resume()
    assert_same(
        dict(first.message_hub.log_scalars),
        dict(second.message_hub.log_scalars))
    assert len(second.message_hub.get_scalar('train/loss').data[0]) == 2
    info = second.message_hub.runtime_info
    assert_same(deque([1], 2), info['recent'])
    assert_same(np.arange(3.), info['weights'])
    assert_same(0.25, info['best'])
    checkpoint = CheckpointLoader.load_checkpoint(path)
    assert_same(ToyDataset().metainfo, checkpoint['meta']['dataset_meta'])
    assert second.optim_wrapper.state_dict()['state'][0]['step'] == 2

    second.train()
    assert second.epoch == 2 and second.iter == 4
    assert len(second.message_hub.get_scalar('train/loss').data[0]) == 4
    log = Path(second.log_dir, f'{second.timestamp}.log').read_text()
    assert 'resumed epoch: 1, iter: 2' in log
    assert 'dataset metainfo' not in log and 'just skip' not in log

    # MMEngine reads the file without this package, too.
    result = subprocess.run([sys.executable, '-c', PLAIN, path],
                            capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == f'1 {weight}'


def test_published_checkpoint(tmp_path):
    """CheckpointHook reads its last file and writes a part of it again."""
    runner = build_runner(
        tmp_path,
        'published',
        default_hooks=dict(
            checkpoint=dict(
                type='CheckpointHook',
                interval=1,
                published_keys=['meta', 'state_dict'])))
    runner.train()
    path, = tmp_path.glob('epoch_1-*.pth')
    torch.load(path, weights_only=True)
    checkpoint = CheckpointLoader.load_checkpoint(str(path))
    assert set(checkpoint) == {'meta', 'state_dict'}
    assert_same(ToyDataset().metainfo, checkpoint['meta']['dataset_meta'])
