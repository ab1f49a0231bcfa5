"""Damage that PyTorch does not see, and files that are something else."""

import io
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmpose_raf.checkpoints import encode
from mmpose_raf.checkpoints.archive import find_damage
from mmpose_raf.errors import ConfigError
from tests.test_checkpoints.comparing import assert_one_line


def refusal(path):
    """The one line with which a file is refused."""
    with pytest.raises(ConfigError) as error:
        CheckpointLoader.load_checkpoint(str(path))
    assert_one_line(error)
    message = str(error.value)
    assert message.startswith(f'{path}: ')
    assert 'weights_only' not in message
    return message


def test_flipped_bytes(tmp_path):
    """Whatever byte is another: refused, or every weight is the same."""
    generator = np.random.default_rng(0)
    weights = {name: torch.randn(200) for name in 'abc'}
    path = tmp_path / 'a.pth'
    torch.save(encode(dict(state_dict=weights)), path)
    content = path.read_bytes()
    refused = 0
    for place in generator.choice(len(content), 300, replace=False):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(generator.integers(8))
        path.write_bytes(damaged)
        try:
            loaded = CheckpointLoader.load_checkpoint(str(path))
        except ConfigError as error:
            assert '\n' not in str(error)
            refused += 1
            continue
        for name, value in weights.items():
            assert torch.equal(loaded['state_dict'][name], value)
    # 2,400 of about 4,000 bytes are weights.
    assert refused > 150


def test_torch_alone_loads_a_flipped_weight(tmp_path):
    """That is, the check is needed."""
    path = tmp_path / 'a.pth'
    torch.save(dict(a=torch.zeros(1000)), path)
    content = bytearray(path.read_bytes())
    # A float of zeros becomes a 2, whose upper byte is 0x40.
    start = content.index(bytes(4000))
    content[-start % 4 + start + 2003] = 0x40
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)['a'].sum() == 2
    assert 'check sum' in refusal(path)


def test_whole_files(tmp_path):
    for new_format in (True, False):
        path = tmp_path / f'{new_format}.pth'
        torch.save(
            dict(a=torch.ones(9)),
            path,
            _use_new_zipfile_serialization=new_format)
        assert find_damage(path) is None
        assert CheckpointLoader.load_checkpoint(str(path))['a'].sum() == 9


def test_torchscript(tmp_path, recwarn):
    path = tmp_path / 'a.pth'
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(path))
    recwarn.clear()
    assert 'TorchScript' in refusal(path)
    assert not recwarn


def test_tar(tmp_path):
    path = tmp_path / 'a.pth'
    with tarfile.open(path, 'w') as archive:
        for name in ('sys_info', 'pickle', 'storages', 'tensors'):
            content = pickle.dumps(0)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    assert 'tar archive' in refusal(path)


@pytest.mark.parametrize('content', [None, [torch.ones(1)], 3, 'weights',
                                     torch.ones(1)], ids=repr)
def test_no_dictionary(tmp_path, content):
    torch.save(content, tmp_path / 'a.pth')
    assert f'holds a {type(content).__name__}' in refusal(tmp_path / 'a.pth')


def test_cycle(tmp_path):
    cycle = {}
    cycle['state_dict'] = cycle
    torch.save(cycle, tmp_path / 'a.pth')
    assert 'RecursionError' in refusal(tmp_path / 'a.pth')


def rewrite(source, target, change, compression=zipfile.ZIP_STORED):
    """Copy an archive, with another pickle in it."""
    with zipfile.ZipFile(source) as old, \
            zipfile.ZipFile(target, 'w', compression) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(
                name,
                change(content) if name.endswith('data.pkl') else content)


@pytest.mark.parametrize('change', [
    lambda pkl: pkl.replace(b'K\x04\x85', b'J\xff\xff\xff\x7f\x85'),
    lambda pkl: pkl.replace(b'K\x04t', b'J\xff\xff\xff\x7ft'),
    lambda pkl: pkl.replace(b'X\x01\x00\x00\x000', b'X\x01\x00\x00\x007'),
], ids=['shape', 'storage', 'missing storage'])  # yapf: disable
def test_data_that_are_not_there(tmp_path, change):
    torch.save(dict(w=torch.ones(4)), tmp_path / 'whole.pth')
    rewrite(tmp_path / 'whole.pth', tmp_path / 'a.pth', lambda pkl: pkl)
    assert CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))
    rewrite(tmp_path / 'whole.pth', tmp_path / 'a.pth', change)
    assert 'cannot be read' in refusal(tmp_path / 'a.pth')


def test_compressed_entries(tmp_path):
    """A gigabyte of zeros would fit into a megabyte."""
    torch.save(dict(w=torch.zeros(2**20)), tmp_path / 'whole.pth')
    rewrite(tmp_path / 'whole.pth', tmp_path / 'a.pth', lambda pkl: pkl,
            zipfile.ZIP_DEFLATED)
    assert (tmp_path / 'a.pth').stat().st_size < 10_000
    assert 'compressed' in refusal(tmp_path / 'a.pth')
