"""What can be told wrong about a run before anything is written."""

import os.path as osp
from typing import Optional

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import find_latest_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from mmpose_raf.errors import ConfigError
from .federation_settings import FederationSettings
from .preflight_data import check_dataset, check_evaluators
from .preflight_parts import check_parts
from .preflight_values import check_plain_values
from .preflight_weights import check_pretrained
from .resumed_federation import (check_resumed_partition, check_resumed_run,
                                 check_resumed_settings)
from .runner_checks import check_compile


def check_run(cfg: Config, opens_images: bool = False):
    """Check the config of a federated run.

    Args:
        cfg (Config): The config with all options of the command line merged.
        opens_images (bool): Whether all images are decoded. Defaults to
            False.

    Raises:
        ConfigError: If a value or an argument is not what it may be, it has
            not exactly one valid ``FederatedHook``, a file or folder of a
            dataset is missing, annotations cannot be used, model, data and
            clients do not fit together, the work dir holds another run, or
            the checkpoint to resume is of another federation.
    """
    for name in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper'):
        if not cfg.get(name):
            raise ConfigError(name, 'it is missing',
                              'training needs it, see configs/')
    check_plain_values(cfg)
    check_compile(cfg)
    settings = read_settings(cfg)
    with DefaultScope.overwrite_default_scope(
            cfg.get('default_scope', 'mmengine')):
        for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            if cfg.get(name):
                check_dataset(cfg[name].dataset, f'{name}.dataset',
                              opens_images)
        for index, client in enumerate(settings.clients):
            if client.dataset is not None:
                check_dataset(client.dataset,
                              f'federation.clients[{index}].dataset',
                              opens_images)
    check_evaluators(cfg)
    _check_amp(cfg)
    _check_weights(cfg)
    checkpoint = checkpoint_to_resume(cfg)
    if checkpoint is not None:
        federation = CheckpointLoader.load_checkpoint(
            checkpoint, map_location='cpu',
            logger='silent').get('federation')
        check_resumed_settings(federation, settings)
        check_resumed_run(federation, cfg)
        check_resumed_partition(federation, check_parts(cfg, settings))
    # Not find_latest_checkpoint, which reports what it did not find.
    elif osp.isfile(osp.join(cfg.work_dir, 'last_checkpoint')):
        raise ConfigError(
            'work_dir', f'{cfg.work_dir} already holds a run',
            'continue it with --resume, or choose another --work-dir')
    else:
        check_parts(cfg, settings)
    # Last: it may download.
    check_pretrained(cfg.model)


def read_settings(cfg: Config) -> FederationSettings:
    """Settings of a config's federation, which it must have."""
    settings = FederationSettings.of_config(cfg)
    if settings is None:
        raise ConfigError(
            'custom_hooks', 'there is no FederatedHook',
            "add one: dict(type='FederatedHook', clients=[dict(name='high', "
            'input_size=(192, 256)), ...])')
    return settings


def checkpoint_to_resume(cfg: Config) -> Optional[str]:
    """Path of the checkpoint that a run will resume from, if any.

    Raises:
        ConfigError: If there is none although ``resume`` was asked for.
    """
    if not cfg.get('resume'):
        return None
    path = cfg.get('load_from') or find_latest_checkpoint(cfg.work_dir)
    if path is None:
        raise ConfigError('--resume', f'{cfg.work_dir} holds no checkpoint '
                          'that can be read',
                          'leave it out to start, or give a path')
    if '://' not in path and not osp.isfile(path):
        raise ConfigError('--resume', f'no such file: {path}',
                          'give the path of a checkpoint')
    return path


def _check_weights(cfg: Config):
    path = cfg.get('load_from')
    if path and not cfg.get('resume') and '://' not in path and \
            not osp.isfile(osp.expanduser(path)):
        raise ConfigError('load_from', f'no such file: {path}',
                          'give the path of a checkpoint')


def _check_amp(cfg: Config):
    if cfg.optim_wrapper.get('type') == 'AmpOptimWrapper' and \
            not torch.cuda.is_available():
        raise ConfigError('--amp', 'mixed precision needs a GPU, there is '
                          'none', 'leave it out')
