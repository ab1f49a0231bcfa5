"""One round of raf_vitpose_b.py on rendered people, as a user trains it.

``tools/fed_train.py`` in a process of its own, from start-up to the last
checkpoint, with validation. Losses are those that the log gives for the round.

    python -m benchmarks.train_round --arch micro --samples 2
    python -m benchmarks.train_round --device cuda --amp bf16 fp32 --workers 8
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List

import mmpose_raf  # noqa: F401  closes gaps before mmpose is imported
from mmengine.config import Config  # isort: skip

from benchmarks.measuring import (DTYPES, Row, find_device, make_parser,
                                  run_benchmark)
from benchmarks.subjects import ROOT, set_arch
from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.training_log import (read_training_log,
                                                read_validations)

NAME = 'raf_vitpose_b_synthetic'
DTYPE_NAMES = {
    amp: str(dtype).rpartition('.')[2]
    for amp, dtype in DTYPES.items()
}


def parse_args(args=None):
    """Options of the command line."""
    parser = make_parser(__doc__, repeats=1)
    parser.add_argument(
        '--arch', choices=['micro', 'small', 'base', 'large'], default='base')
    parser.add_argument(
        '--samples', type=int, default=512, help='of each client')
    parser.add_argument('--val-samples', type=int, default=128)
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument('--workers', type=int, default=0)
    return parser.parse_args(args)


def make_config(options: argparse.Namespace, amp: str) -> Config:
    """The config for one round of the samples asked for."""
    cfg = Config.fromfile(
        ROOT / f'configs/{NAME}.py', format_python_code=False)
    set_arch(cfg, options.arch)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    # The later schedules begin when this run has ended.
    cfg.param_scheduler = cfg.param_scheduler[:1]
    for loader, count in ((cfg.train_dataloader, 3 * options.samples),
                          (cfg.val_dataloader, options.val_samples)):
        loader.update(
            batch_size=options.batch_size,
            num_workers=options.workers,
            persistent_workers=options.workers > 0)
        loader.dataset.num_samples = count
    if amp != 'fp32':
        cfg.optim_wrapper.update(
            type='AmpOptimWrapper', dtype=DTYPE_NAMES[amp])
    return cfg


def train(cfg: Config, device: str, folder: str) -> float:
    """Train in a process of its own.

    Args:
        cfg (Config): The config.
        device (str): ``'cpu'`` hides the GPUs from it.
        folder (str): Work dir.

    Returns:
        float: Seconds.

    Raises:
        RuntimeError: If it fails.
    """
    path = Path(folder, f'{NAME}.py')
    cfg.dump(path)
    hidden = dict(CUDA_VISIBLE_DEVICES='') if device == 'cpu' else {}
    start = time.perf_counter()
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / 'tools/fed_train.py'),
            str(path), '--work-dir', folder
        ],
        env=dict(os.environ, **hidden),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f'fed_train.py: exit code {done.returncode}\n'
                           f'{done.stdout[-4000:]}')
    return seconds


def list_rows(name: str, folder: Path, seconds: float) -> List[Row]:
    """Rows of a run, from its log and its checkpoint.

    Raises:
        RuntimeError: If a loss is not finite, or something is missing.
    """
    rows = [Row(f'{name}, from start to end', seconds, 's')]
    for client, curves in read_training_log(folder).items():
        (_, loss), = curves['loss']
        (_, in_training), = curves['seconds']
        if not math.isfinite(loss):
            raise RuntimeError(f'loss of {client}: {loss}')
        rows += [
            Row(f'{name}, {client}, loss', loss, '1'),
            Row(f'{name}, {client}, training', in_training, 's')
        ]
    metrics, = read_validations(folder).values()
    rows += [
        Row(f'{name}, {key}', value, '1') for key, value in metrics.items()
    ]
    checkpoint = folder / 'epoch_1.pth'
    rows.append(
        Row(f'{name}, checkpoint', checkpoint.stat().st_size / 2**20, 'MiB'))
    return rows


def measure(options: argparse.Namespace) -> List[Row]:
    """All rows of the benchmark.

    Raises:
        ConfigError: If the device is not there, or has no mixed precision.
    """
    device = find_device(options.device)
    if device.type == 'cpu' and options.amp != ['fp32']:
        raise ConfigError('--amp', f'got {options.amp}',
                          'use fp32: on a CPU MMEngine has no other')
    rows = []
    for amp in options.amp:
        with tempfile.TemporaryDirectory() as folder:
            seconds = train(make_config(options, amp), device.type, folder)
            rows += list_rows(f'{options.arch} {amp} round', Path(folder),
                              seconds)
    return rows


if __name__ == '__main__':
    sys.exit(run_benchmark(parse_args, measure))
