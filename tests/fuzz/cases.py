"""Cases of a fuzz test: what is made, and what may come of it."""

import contextlib
import copy
import json
import math
import os
import random
import signal
import traceback
from pathlib import Path
from typing import Iterator, NamedTuple
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader
from mmpose.datasets import CocoDataset

from mmpose_raf.datasets.annotation_check import check_annotation_file
from mmpose_raf.engine.preflight import check_run
from mmpose_raf.errors import ConfigError
from tests.fuzz.mutations import damage, mutate
from tests.test_tools.small_coco import CONFIG, write_data

#: Seconds after which a case hangs.
LIMIT = 60


class Outcome(NamedTuple):
    """What came of a case.

    Args:
        result (str): ``'refused'`` in one line, ``'accepted'``, or
            ``'bug'``.
        change (str): What was changed.
        message (str): The line, or where the bug is.
    """

    result: str
    change: str
    message: str = ''


class Hang(BaseException):
    """A case took too long."""


@contextlib.contextmanager
def time_limit() -> Iterator[None]:
    """End what hangs."""

    def end(*args):
        raise Hang

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Fuzzer:
    """Makes cases, each from its number alone.

    Args:
        folder (Path): An empty folder of its own.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        write_data(folder / 'data')
        self.config = Config.fromstring(
            CONFIG.replace('{root!r}', repr(str(folder / 'data'))),
            '.py').to_dict()
        del self.config['pipeline']
        # It would collect the garbage of the whole process each time.
        self.config['train_dataloader']['dataset']['serialize_data'] = False
        self.config.update(
            custom_imports=dict(imports=['mmpose_raf']), launcher='none',
            work_dir=str(folder / 'run'))
        self.annotations = json.loads(
            (folder / 'data/people.json').read_text())
        generator = torch.Generator().manual_seed(0)
        self.checkpoint = dict(
            state_dict={
                name: torch.randn(20, generator=generator)
                for name in 'abcd'
            },
            meta=dict(epoch=1, iter=3, seed=0),
            message_hub=dict(runtime_info=dict(iter=3)),
            optimizer=dict(state={0: dict(step=3)}, param_groups=[dict(lr=.1)]))
        torch.save(self.checkpoint, folder / 'whole.pth')
        self.content = (folder / 'whole.pth').read_bytes()

    def run(self, kind: str, number: int) -> Outcome:
        """Run a case.

        Args:
            kind (str): ``'config'``, ``'annotations'`` or ``'checkpoint'``.
            number (int): Its number.
        """
        rng = random.Random(f'{kind} {number}')
        change = 'nothing yet'
        # Left by a case that should not have.
        before = set(os.listdir(self.folder))
        try:
            with time_limit():
                change, check = getattr(self, f'_{kind}')(rng)
                accepted = check()
        except ConfigError as error:
            if len(str(error).splitlines()) != 1:
                return Outcome('bug', change, f'several lines: {error}')
            if 'weights_only' in str(error):
                return Outcome('bug', change, f'advice of torch: {error}')
            return Outcome('refused', change, str(error))
        except Hang:
            return Outcome('bug', change, f'no end after {LIMIT} s')
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            return Outcome(
                'bug', change, f'{type(error).__name__}: {error} '
                f'({where.filename}:{where.lineno})'[:500])
        if set(os.listdir(self.folder)) != before:
            return Outcome('bug', change, 'it left files behind')
        return Outcome('accepted', change, accepted or '')

    def _config(self, rng: random.Random):
        tree, change = mutate(self.config, rng)
        # The command line gives a run without one its own.
        if tree.get('work_dir') is None:
            tree['work_dir'] = self.config['work_dir']
        cfg = Config(tree, format_python_code=False)

        def check():
            with mock.patch('builtins.print'):
                check_run(cfg)

        return change, check

    def _annotations(self, rng: random.Random):
        tree, change = copy.deepcopy(self.annotations), ''
        for _ in range(rng.choice([1, 1, 3])):
            tree, one = mutate(tree, rng)
            change += f'{one}; '
        path = self.folder / 'data/fuzzed.json'
        path.write_text(json.dumps(tree))

        def check():
            report = check_annotation_file(path, 'ann_file',
                                           str(self.folder / 'data/images'))
            check_samples(path, report.num_kept)

        return change, check

    def _checkpoint(self, rng: random.Random):
        path = self.folder / 'fuzzed.pth'
        if rng.random() < .5:
            content, change = damage(self.content, rng)
            path.write_bytes(content)
        else:
            tree, change = mutate(self.checkpoint, rng)
            torch.save(tree, path)
            content = None

        def check():
            try:
                loaded = CheckpointLoader.load_checkpoint(
                    str(path), 'cpu', logger='silent')
            finally:
                path.unlink()
            if content is None:
                return
            for name, value in self.checkpoint['state_dict'].items():
                if not torch.equal(loaded['state_dict'][name], value):
                    raise RuntimeError(f'{name} was changed without a word')

        return change, check


def check_samples(path: Path, num_kept: int):
    """Fail if MMPose would train on other or on spoilt samples."""
    with DefaultScope.overwrite_default_scope('mmpose'):
        dataset = CocoDataset(
            ann_file=str(path),
            data_prefix=dict(img=''),
            pipeline=[],
            serialize_data=False)
    if len(dataset) != num_kept:
        raise RuntimeError(f'{num_kept} were promised, MMPose uses '
                           f'{len(dataset)}')
    for sample in map(dataset.get_data_info, range(num_kept)):
        numbers = [
            *sample['keypoints'].ravel().tolist(),
            *sample['keypoints_visible'].ravel().tolist(),
            *sample['bbox'].ravel().tolist()
        ]
        if not all(map(math.isfinite, numbers)):
            raise RuntimeError('a sample is not finite')
        if not 0 <= sample['keypoints_visible'].min() <= 1:
            raise RuntimeError('a visibility is out of its range')
