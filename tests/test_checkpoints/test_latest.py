"""Which checkpoint a run resumes from, if the last one cannot be read."""

import os
import shutil
import zipfile

import pytest
import torch
from mmengine.runner import find_latest_checkpoint

from mmpose_raf.checkpoints import latest
from tests.toy import assert_states_equal, run, toy_config

ROUNDS = 4


def config(work_dir):
    cfg = toy_config(work_dir, rounds=ROUNDS, num_samples=4, val=True)
    cfg.default_hooks.checkpoint.update(save_best='score', rule='less')
    return cfg


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp('finished')
    run(config(folder))
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of the run that stands after its third round."""
    folder = tmp_path / 'run'
    shutil.copytree(finished, folder)
    (folder / f'epoch_{ROUNDS}.pth').unlink()
    name(folder, folder / 'epoch_3.pth')
    return folder


def name(folder, path):
    (folder / 'last_checkpoint').write_text(str(path))


def cut(path):
    path.write_bytes(path.read_bytes()[:5000])


def flip(path):
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda entry: entry.file_size)
        weights = archive.read(largest)
    content[content.index(weights) + len(weights) // 2] ^= 4
    path.write_bytes(content)


def test_whole(folder):
    assert find_latest_checkpoint(str(folder)) == str(folder / 'epoch_3.pth')


@pytest.mark.parametrize('damage', [cut, flip, os.remove, 'empty', 'moved'])
def test_fallback(folder, finished, monkeypatch, damage):
    messages = []
    monkeypatch.setattr(latest, 'print_log',
                        lambda message, **kwargs: messages.append(message))
    expected = folder / 'epoch_2.pth'
    if damage in ('empty', 'moved'):
        name(folder, '' if damage == 'empty' else '/elsewhere/epoch_3.pth')
        expected = folder / 'epoch_3.pth'
    else:
        damage(folder / 'epoch_3.pth')
    # Newer than all, but best ones cannot be resumed.
    best, = folder.glob('best_*.pth')
    os.utime(best)
    assert find_latest_checkpoint(str(folder)) == str(expected)
    message, = messages
    assert f'{expected} is the newest' in message

    run(config(folder), resume=True)
    last = f'epoch_{ROUNDS}.pth'
    got, uninterrupted = (
        torch.load(path / last, weights_only=True)
        for path in (folder, finished))
    assert_states_equal(got['state_dict'], uninterrupted['state_dict'])
    assert_states_equal(got['federation'], uninterrupted['federation'])


def test_nothing_can_be_read(folder):
    for path in folder.glob('epoch_*.pth'):
        cut(path)
    assert find_latest_checkpoint(str(folder)) is None


def test_no_run(tmp_path):
    assert find_latest_checkpoint(str(tmp_path)) is None


def test_elsewhere(tmp_path):
    """What is not on this machine is not looked at."""
    name(tmp_path, 's3://bucket/epoch_3.pth')
    assert find_latest_checkpoint(str(tmp_path)) == 's3://bucket/epoch_3.pth'
