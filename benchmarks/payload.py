"""What fewer bytes on the way cost in accuracy.

The demo's federation is trained with each payload and seed. Printed are the
bytes of a round, the mean PCK over the sizes of the ladder on held-out
people, and how far the last global weights lie from those of float32 with the
same seed, as a share of the way that training has gone. Rounding changes a
training as another order of its sums does: what counts is whether the
accuracies of several seeds differ.

    python -m benchmarks.payload
    python -m benchmarks.payload --seeds 0 --rounds 2 --kinds float32 int8
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import List

import torch
from mmengine.config import Config
from mmengine.hooks import Hook

import benchmarks.federations as federations
from benchmarks.measuring import Row, find_device, make_parser, run_benchmark
from mmpose_raf.federation.payload import KINDS
from mmpose_raf.federation.state_math import displacements, state_norm

CONFIG = Path(__file__).parents[1] / 'configs' / 'raf_demo.py'


def parse_args(args=None) -> argparse.Namespace:
    """Options of the command line."""
    parser = make_parser(__doc__, repeats=1)
    parser.add_argument(
        '--kinds', nargs='+', choices=KINDS, default=list(KINDS))
    parser.add_argument('--seeds', nargs='+', type=int, default=[0, 1, 2])
    parser.add_argument('--rounds', type=int, default=10)
    parser.add_argument(
        '--samples', type=int, default=480, help='of all clients together')
    return parser.parse_args(args)


class Watch(Hook):
    """Notes the first weights and the traffic of the last round."""

    def before_train(self, runner):
        """The weights are there."""
        self.first = runner.model.state_dict()
        self.first = {key: value.clone() for key, value in self.first.items()}

    def after_train_epoch(self, runner):
        """A round is over."""
        self.traffic = runner.train_loop.report.traffic


def train(options: argparse.Namespace, kind: str, seed: int) -> tuple:
    """Mean PCK in %, the traffic of a round, first and last weights."""
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({
        'federation.payload': kind,
        'randomness.seed': seed,
        'train_cfg.max_epochs': options.rounds,
        'train_cfg.val_interval': options.rounds,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_dataloader.dataset.num_samples': options.samples,
        'val_dataloader.num_workers': 0,
        'val_dataloader.persistent_workers': False,
        'log_level': 'ERROR',
    })
    cfg.val_cfg = dict(
        type='MultiResolutionValLoop', input_sizes=list(cfg.model.ladder))
    cfg.custom_hooks = [dict(type='FederatedHook')]
    cfg.default_hooks.checkpoint = None
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir = cfg.visualizer.name = folder
        cfg.experiment_name = Path(folder).name
        runner = federations.run(cfg, find_device(options.device), watch)
    federations.forget_loggers()
    scores = [
        scalar.current() for name, scalar in
        runner.message_hub.log_scalars.items()
        if name.startswith('val/') and name.endswith('PCK')
    ]
    score = 100 * statistics.mean(scores)
    # To follow it by: the table comes at the end.
    print(f'{kind}, seed {seed}: PCK {score:.2f} %', flush=True)
    return score, watch.traffic, watch.first, runner.model.state_dict()


def measure(options: argparse.Namespace) -> List[Row]:
    """All rows of the benchmark."""
    runs = {(kind, seed): train(options, kind, seed)
            for seed in options.seeds for kind in options.kinds}
    rows = []
    for kind in options.kinds:
        scores = [runs[kind, seed][0] for seed in options.seeds]
        traffic = runs[kind, options.seeds[0]][1]
        rows += [
            Row(f'{kind}, down', traffic.down / 1e6, 'MB a round'),
            Row(f'{kind}, up', traffic.up / 1e6, 'MB a round'),
            Row(f'{kind}, accuracy', statistics.mean(scores), 'PCK in %',
                'seeds: ' + ', '.join(f'{score:.2f}' for score in scores))
        ]
        if kind == 'float32' or 'float32' not in options.kinds:
            continue
        shares = [
            _share(runs['float32', seed], runs[kind, seed])
            for seed in options.seeds
        ]
        rows.append(
            Row(f'{kind}, distance to float32', statistics.mean(shares),
                'of the way'))
    return rows


def _share(plain: tuple, packed: tuple) -> float:
    """Distance of two trainings' ends over the way of the first."""
    (_, _, first, end), (_, _, _, other) = plain, packed
    names = [key for key in end if end[key].dtype == torch.float32
             and 'running' not in key]
    apart, = displacements([other], end, names)
    way, = displacements([end], first, names)
    return state_norm(apart) / state_norm(way)


if __name__ == '__main__':
    sys.exit(run_benchmark(parse_args, measure))
