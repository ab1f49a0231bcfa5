"""Reading checkpoints: what is refused, trusted, damaged."""

import functools
import http.server
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path

import mmengine.runner.checkpoint
import mmengine.runner.runner
import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel, BaseModule
from mmengine.runner import Runner, load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmpose_raf.checkpoints import encode
from mmpose_raf.errors import ConfigError
from tests.test_checkpoints.comparing import assert_one_line, assert_same

TRUST = 'MMPOSE_RAF_TRUST_CHECKPOINT'
FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
FORCE_NO = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in (TRUST, FORCE, FORCE_NO):
        monkeypatch.delenv(name, raising=False)


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


@pytest.mark.parametrize('trusted', [False, True])
def test_config_in_a_checkpoint(tmp_path, monkeypatch, trusted):
    """MMEngine would run it on a resume, although it is mere text."""
    build_runner(tmp_path, f'config_{trusted}').train()
    path, trace = tmp_path / 'epoch_1.pth', tmp_path / 'trace'
    checkpoint = torch.load(path, weights_only=True)
    checkpoint['meta']['config'] = f'open({str(trace)!r}, "w").close()'
    torch.save(checkpoint, path)
    if trusted:
        monkeypatch.setenv(TRUST, str(path))
    build_runner(
        tmp_path, f'resumed_{trusted}', load_from=str(path),
        resume=True).load_or_resume()
    assert trace.exists() == trusted


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
        torch.save(dict(x=Unpickled()), tmp_path / 'real.pth')
        torch.save(dict(x=Unpickled()), tmp_path / 'other.pth')
        (tmp_path / 'sub').mkdir()
        (tmp_path / 'link.pth').symlink_to('real.pth')
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv(TRUST,
                           trusted.format(folder=tmp_path, sep=os.pathsep))
        for name in ('real.pth', str(tmp_path / 'link.pth')):
            if works:
                loaded = CheckpointLoader.load_checkpoint(name)
                assert isinstance(loaded['x'], Unpickled)
            else:
                with pytest.raises(ConfigError):
                    CheckpointLoader.load_checkpoint(name)

    def test_a_file_of_the_same_name(self, tmp_path, monkeypatch):
        for folder in ('a', 'b'):
            (tmp_path / folder).mkdir()
            torch.save(dict(x=Unpickled()), tmp_path / folder / 'x.pth')
        monkeypatch.setenv(TRUST, str(tmp_path / 'a' / 'x.pth'))
        CheckpointLoader.load_checkpoint(str(tmp_path / 'a' / 'x.pth'))
        with pytest.raises(ConfigError):
            CheckpointLoader.load_checkpoint(str(tmp_path / 'b' / 'x.pth'))

    @pytest.mark.filterwarnings('ignore:Environment variable')
    def test_pytorchs_own_variable(self, tmp_path, monkeypatch):
        torch.save(dict(x=Unpickled()), tmp_path / 'a.pth')
        monkeypatch.setenv(FORCE_NO, '1')
        loaded = CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))
        assert isinstance(loaded['x'], Unpickled)

    @pytest.mark.parametrize('before', [None, '0', '1'])
    def test_environment_is_restored(self, tmp_path, monkeypatch, before):
        torch.save(dict(x=Unpickled()), tmp_path / 'bad.pth')
        torch.save(dict(a=1), tmp_path / 'good.pth')
        if before is not None:
            monkeypatch.setenv(FORCE, before)
        environment = dict(os.environ)
        assert CheckpointLoader.load_checkpoint(
            str(tmp_path / 'good.pth')) == dict(a=1)
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
assert 'mmpose_raf' not in sys.modules
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
