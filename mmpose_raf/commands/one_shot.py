"""Train a pose estimator in one round: FedMITR.

Every client of the config's federation trains to the end by itself and sends
its model once. The server, which has no data, makes images that the models
take for poses, and trains the global model on them. `one_shot` in the config
says how:

    mmpose-raf one-shot mmpose_raf::algorithms/fedmitr.py

The result is a checkpoint of MMPose, one_shot.pth in the work dir. A run that
was broken off goes on with --resume: what clients have trained is not trained
again.
"""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction

from mmpose_raf.config_file import merge_options, read_config
from mmpose_raf.one_shot import run_one_shot
from mmpose_raf_compat.own_configs import find_own_config


def add_arguments(parser: argparse.ArgumentParser):
    """Add the arguments of the command."""
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        '--work-dir',
        help='where all is written (default: work_dirs/CONFIG)')
    parser.add_argument(
        '--resume', action='store_true', help='go on in the work dir')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='fields of the config to change, e.g. one_shot.num_images=64')


def main(args: argparse.Namespace):
    """Check and train."""
    path = run_one_shot(load_config(args))
    print(f'Global model: {path}')


def load_config(args: argparse.Namespace) -> Config:
    """Load the config and merge the command line into it."""
    cfg = read_config(args.config)
    name = Path(find_own_config(args.config)).stem
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or f'work_dirs/{name}'
    cfg.launcher = 'none'
    cfg.resume = args.resume
    merge_options(cfg, args.cfg_options, '--cfg-options')
    return cfg
