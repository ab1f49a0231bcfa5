"""Kills a training again and again: ``python -m tests.fuzz.kills 100 0``.

The numbers are how many kills, and the first run's, which is its seed.

Each time a process trains until a moment that is drawn, is killed (SIGKILL),
maybe killed again while it goes on, and then left to its end, which has to be
that of the run that was never killed. Half of the kills come at a step of
writing: with half of a file written, before it gets its name, or before an
old one is deleted.
"""

import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import IO, Callable, Optional

import torch
from mmengine.fileio import LocalBackend

from mmpose_raf import atomic_file
from mmpose_raf.__main__ import main as command
from tests.test_tools.small_coco import write_config, write_data
from tests.toy import assert_states_equal

ROUNDS = 3

# Best checkpoints, and old ones deleted: all that is written and removed.
MORE = f'''
train_cfg.update(max_epochs={ROUNDS}, val_interval=1)
val_evaluator = dict(type='PCKAccuracy', norm_item='bbox')
default_hooks['checkpoint'].update(
    max_keep_ckpts=1, save_best='PCK', rule='less')
'''


class Half:
    """A file whose content gets to the disk in halves.

    Args:
        file (IO): The file.
        step (callable): Is called between them.
    """

    def __init__(self, file: IO, step: Callable[[], None]):
        self.file = file
        self.step = step

    def write(self, content: bytes):
        """Write, with a moment to be killed in."""
        middle = len(content) // 2
        self.file.write(content[:middle])
        self.file.flush()
        self.step()
        self.file.write(content[middle:])

    def __enter__(self) -> 'Half':
        return self

    def __exit__(self, *args):
        self.file.close()

    def __getattr__(self, name: str):
        return getattr(self.file, name)


def die_after(steps: int):
    """Have this process killed at a step of writing or deleting.

    Args:
        steps (int): How many it may do before.
    """
    left = steps

    def step():
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def stepping(function: Callable) -> Callable:

        def step_and_call(*args):
            step()
            return function(*args)

        return step_and_call

    atomic_file.open = lambda *args: Half(open(*args), step)
    atomic_file.os.replace = stepping(os.replace)
    LocalBackend.remove = stepping(LocalBackend.remove)


class Killer:
    """Trains in processes that are killed.

    Args:
        folder (Path): An empty folder of its own.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.num_kills = 0
        write_data(folder / 'data')
        write_config(folder / 'config.py', folder / 'data', MORE)
        start = time.monotonic()
        assert self.wait(self.train('whole')) == 0
        self.seconds = time.monotonic() - start
        self.expected = self.load('whole')

    def train(self, name: str, steps: Optional[int] = None) -> int:
        """Train, or go on, in a folder of this name.

        Args:
            name (str): The folder.
            steps (int, optional): Steps of writing after which it is killed.

        Returns:
            int: Number of the process, a fork of this one: what takes long
            at the start of Python is done once.
        """
        process = os.fork()
        if process:
            return process
        code = 99
        try:
            os.chdir(self.folder)
            with open(os.devnull, 'w') as nowhere:
                os.dup2(nowhere.fileno(), 1)
            with open(self.folder / f'{name}.txt', 'a') as errors:
                os.dup2(errors.fileno(), 2)
            if steps is not None:
                die_after(steps)
            arguments = ['train', 'config.py', '--work-dir', name]
            if (self.folder / name / 'last_checkpoint').is_file():
                arguments.append('--resume')
            code = command(arguments)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    @staticmethod
    def wait(process: int) -> int:
        """Exit code of a process that is over; negative after a signal."""
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    def load(self, name: str) -> dict:
        """The last checkpoint of a run."""
        return torch.load(self.folder / name / f'epoch_{ROUNDS}.pth',
                          weights_only=True)

    def kill(self, number: int):
        """Kill a run, and again while it is resumed; compare its end.

        Raises:
            AssertionError: If it cannot go on, or ends in other weights.
        """
        rng, name = random.Random(number), f'run{number}'
        for _ in range(rng.choice([1, 2])):
            if number % 2:
                code = self.wait(self.train(name, rng.randrange(20)))
            else:
                process = self.train(name)
                time.sleep(rng.uniform(.2, .9) * self.seconds)
                os.kill(process, signal.SIGKILL)
                code = self.wait(process)
            if code == 0:  # it was faster
                break
            self.num_kills += 1
            assert code == -signal.SIGKILL, self.errors(name)
        if code != 0:
            assert self.wait(self.train(name)) == 0, self.errors(name)
        got = self.load(name)
        for key in ('state_dict', 'optimizer', 'federation'):
            assert_states_equal(got[key], self.expected[key])

    def errors(self, name: str) -> str:
        """What its processes have said."""
        return (self.folder / f'{name}.txt').read_text()[-2000:]


def main(count: int, first: int) -> int:
    """Kill runs so many times; return how many were lost.

    Some runs are over before their kill.
    """
    lost, number = 0, first
    with tempfile.TemporaryDirectory() as folder:
        killer = Killer(Path(folder))
        while killer.num_kills < count:
            try:
                killer.kill(number)
            except AssertionError as error:
                lost += 1
                print(f'run {number}: {error}', flush=True)
            number += 1
            if (number - first) % 10 == 0:
                print(f'{killer.num_kills} of {count} kills', flush=True)
        print(f'{killer.num_kills} kills of {number - first} runs; '
              f'{lost} were lost')
    return lost


if __name__ == '__main__':
    sys.exit(min(1, main(*map(int, sys.argv[1:]))))
