"""A run that is killed leaves what it needs to go on."""

import contextlib
import errno
import os
from pathlib import Path

import pytest
import torch
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import find_latest_checkpoint

from mmpose_raf import atomic_file
from mmpose_raf.atomic_file import UNFINISHED, write_atomically
from tests.toy import assert_states_equal, run, toy_config

ROUNDS = 3


class Killed(BaseException):
    """Stands for a kill: nothing after it runs."""


class TestWriteAtomically:

    def test_new_and_old(self, tmp_path):
        path = tmp_path / 'a'
        for content in (b'first', b'', b'the third'):
            write_atomically(path, content)
            assert path.read_bytes() == content
        assert os.listdir(tmp_path) == ['a']

    @pytest.mark.parametrize('call', ['fsync', 'replace'])
    def test_full_disk(self, tmp_path, monkeypatch, call):
        path = tmp_path / 'a'
        write_atomically(path, b'old')

        def fail(*args):
            raise OSError(errno.ENOSPC, 'No space left on device')

        monkeypatch.setattr(atomic_file.os, call, fail)
        with pytest.raises(OSError, match='No space'):
            write_atomically(path, b'new')
        assert path.read_bytes() == b'old'
        assert os.listdir(tmp_path) == ['a']

    def test_what_a_kill_left_is_written_over(self, tmp_path):
        path = tmp_path / 'a'
        path.with_name('a' + UNFINISHED).write_bytes(b'a longer content')
        write_atomically(path, b'new')
        assert path.read_bytes() == b'new'
        assert os.listdir(tmp_path) == ['a']

    def test_is_on_the_disk_before_it_has_its_name(self, tmp_path,
                                                   monkeypatch):
        calls = []
        for name in ('fsync', 'replace'):
            original = getattr(os, name)
            monkeypatch.setattr(
                atomic_file.os, name,
                lambda *args, name=name, original=original:
                (calls.append(name), original(*args)))
        write_atomically(tmp_path / 'a', b'new')
        assert calls == ['fsync', 'replace', 'fsync']


def test_folders_are_made(tmp_path):
    """As MMEngine's backend does."""
    LocalBackend().put(b'a', str(tmp_path / 'b/c/a'))
    assert (tmp_path / 'b/c/a').read_bytes() == b'a'


# -- Runs --------------------------------------------------------------------


def config(work_dir, rounds=ROUNDS, **checkpoint):
    cfg = toy_config(work_dir, rounds=rounds, num_samples=4, val=True)
    cfg.default_hooks.checkpoint.update(checkpoint)
    return cfg


# Each round's score is another, by either rule.
HOOKS = dict(
    plain={},
    one=dict(max_keep_ckpts=1),
    two=dict(max_keep_ckpts=2),
    best=dict(save_best='score', rule='greater', max_keep_ckpts=1),
    least=dict(save_best='score', rule='less', max_keep_ckpts=1),
)


@contextlib.contextmanager
def kill_at(number, half_written=False):
    """Kill the run at its ``number``-th write, rename or removal.

    Args:
        number (int): From 0.
        half_written (bool): Whether a write has got half way.

    Yields:
        list[str]: What was done to which file.
    """
    done = []
    with pytest.MonkeyPatch.context() as patch:

        def watch(module, name, path_of):
            original = getattr(module, name)

            def watched(*args):
                if len(done) == number:
                    raise Killed
                done.append(f'{name} {os.path.basename(path_of(*args))}')
                return original(*args)

            patch.setattr(module, name, watched)

        def write(path, mode):
            file = open(path, mode)
            if len(done) == number:
                file.write(b'half' * half_written)
                file.close()
                raise Killed
            done.append(f'write {os.path.basename(path)}')
            return file

        patch.setattr(atomic_file, 'open', write, raising=False)
        # A killed process tidies up nothing.
        patch.setattr(Path, 'unlink', lambda self: None)
        watch(atomic_file.os, 'replace', lambda source, target: target)
        watch(LocalBackend, 'remove', lambda self, path: path)
        yield done


@pytest.mark.parametrize('name', HOOKS)
def test_same_files_as_before(tmp_path, name):
    """Which is what MMEngine alone leaves."""
    run(config(tmp_path, **HOOKS[name]))
    kept = HOOKS[name].get('max_keep_ckpts', ROUNDS)
    names = {f'epoch_{i}.pth' for i in range(1, ROUNDS + 1)[-kept:]}
    found = {path.name for path in tmp_path.glob('*.pth')}
    best = {name for name in found if name.startswith('best_')}
    assert found - best == names
    assert len(best) == int('save_best' in HOOKS[name])
    last = tmp_path / f'epoch_{ROUNDS}.pth'
    assert find_latest_checkpoint(str(tmp_path)) == str(last)
    assert not list(tmp_path.glob(f'*{UNFINISHED}'))


@pytest.mark.slow
def test_killed_at_every_write(tmp_path, name='best'):
    """Whatever is being written: the run goes on to the same weights."""
    with kill_at(-1) as steps:
        run(config(tmp_path / 'whole', **HOOKS[name]))
    expected = torch.load(
        tmp_path / f'whole/epoch_{ROUNDS}.pth', weights_only=True)
    first = 1 + steps.index('replace last_checkpoint')
    assert len(steps) > first + 4
    for number in range(first, len(steps)):
        work_dir = tmp_path / f'{number}'
        with kill_at(number, half_written=number % 2) as done, \
                pytest.raises(Killed):
            run(config(work_dir, **HOOKS[name]))
        assert done == steps[:number]
        best = list(work_dir.glob('best_*.pth'))
        if 'save_best' in HOOKS[name] and any(
                step.startswith('replace best') for step in done):
            assert best  # there is one at any time
            for path in best:
                torch.load(path, weights_only=True)
        run(config(work_dir, **HOOKS[name]), resume=True)
        got = torch.load(
            work_dir / f'epoch_{ROUNDS}.pth', weights_only=True)
        for key in ('state_dict', 'optimizer'):
            assert_states_equal(got[key], expected[key])
        assert_states_equal(got['federation'], expected['federation'])


def test_stock_hook_is_meant():
    """By its class, which MMPose's newer configs name."""
    assert CheckpointHook._save_checkpoint_with_step.__module__ == \
        'mmpose_raf.checkpoints.saving'
