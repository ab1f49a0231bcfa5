"""Train a pose estimator federatedly.

The options are those of MMPose's train.py, without the ones that show
pictures. Config and annotations are checked first: what cannot work is told in
one line, with exit code 2. A run that is already in the work dir is never
overwritten, nor is one that is just training there. Configs that come with the
package are named mmpose_raf::raf_demo.py and so on.
Under torchrun with --launcher pytorch there may be more processes than GPUs.
"""

import argparse
import os
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.runner import Runner

from mmpose_raf.config_file import merge_options, read_config
from mmpose_raf.engine.preflight import check_run
from mmpose_raf.engine.process_group import process_group
from mmpose_raf.engine.run_end import telling_how_to_go_on
from mmpose_raf.errors import ConfigError
from mmpose_raf.work_dir_lock import lock_work_dir
from mmpose_raf_compat.own_configs import find_own_config


def add_arguments(parser: argparse.ArgumentParser):
    """Add the arguments of the command."""
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        '--work-dir',
        help='where logs and checkpoints go (default: work_dirs/CONFIG)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue from a checkpoint (default: the last of the work dir)')
    parser.add_argument('--amp',
                        action='store_true',
                        help='train with mixed precision')
    parser.add_argument('--no-validate',
                        action='store_true',
                        help='do not evaluate during training')
    parser.add_argument('--auto-scale-lr',
                        action='store_true',
                        help='scale the learning rate to the batch size')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='fields of the config to change, e.g. train_cfg.max_epochs=2')
    parser.add_argument('--check-images',
                        action='store_true',
                        help='decode all images before training')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what has started several processes (default: none)')
    # How torch.distributed.launch numbers the processes.
    parser.add_argument('--local_rank',
                        '--local-rank',
                        type=int,
                        default=0,
                        help=argparse.SUPPRESS)


def main(args: argparse.Namespace):
    """Check and train."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = load_config(args)
    check_run(cfg, opens_images=args.check_images)
    with process_group(cfg), lock_work_dir(
            cfg.work_dir), telling_how_to_go_on(cfg.work_dir):
        Runner.from_cfg(cfg).train()


def load_config(args: argparse.Namespace) -> Config:
    """Load the config and merge the command line into it."""
    cfg = read_config(args.config)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        name = Path(find_own_config(args.config)).stem
        cfg.work_dir = f'./work_dirs/{name}'
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        _use_mixed_precision(cfg)
    if args.auto_scale_lr:
        if not cfg.get('auto_scale_lr'):
            raise ConfigError('--auto-scale-lr',
                              'the config has no auto_scale_lr',
                              'add auto_scale_lr=dict(base_batch_size=...)')
        cfg.auto_scale_lr.enable = True
    merge_options(cfg, args.cfg_options, '--cfg-options')
    cfg.setdefault('custom_imports', dict(imports=[]))
    if 'mmpose_raf' not in cfg.custom_imports['imports']:
        cfg.custom_imports['imports'].append('mmpose_raf')
    return cfg


def _use_mixed_precision(cfg: Config):
    wrapper = cfg.get('optim_wrapper') or {}
    kind = wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ConfigError('--amp', f'the optim_wrapper is a {kind}',
                          'take an OptimWrapper')
    cfg.optim_wrapper = dict(wrapper,
                             type='AmpOptimWrapper',
                             loss_scale=wrapper.get('loss_scale', 'dynamic'))
