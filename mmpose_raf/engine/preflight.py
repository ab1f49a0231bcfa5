"""What can be told wrong about a run before anything is written."""

import copy
import os.path as osp
from typing import Iterator, Optional, Tuple

import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope
from mmengine.runner import find_latest_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.any_size import AnySizePredictor
from mmpose_raf.evaluation.view import list_views
from .feature_contrast import find_module
from .federation_data import (count_distributions, fingerprint_of,
                              share_out)
from .federation_settings import FederationSettings
from .personal_layers import find_personal
from .resumed_federation import (check_resumed_partition,
                                 check_resumed_settings)
from .runner_checks import check_compile, check_input_sizes


def check_run(cfg: Config):
    """Check the config of a federated run.

    Args:
        cfg (Config): The config with all options of the command line merged.

    Raises:
        ConfigError: If it has not exactly one valid ``FederatedHook``, a
            file or folder of a dataset is missing, model, data and clients
            do not fit together, the work dir holds another run, or the
            checkpoint to resume is of another federation.
    """
    for name in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper'):
        if not cfg.get(name):
            raise ConfigError(name, 'it is missing',
                              'training needs it, see configs/')
    check_compile(cfg)
    settings = read_settings(cfg)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(name):
            _check_dataset(cfg[name].dataset, f'{name}.dataset')
    _check_evaluators(cfg)
    for index, client in enumerate(settings.clients):
        if client.dataset is not None:
            _check_dataset(client.dataset,
                           f'federation.clients[{index}].dataset')
    _check_amp(cfg)
    checkpoint = checkpoint_to_resume(cfg)
    if checkpoint is not None:
        federation = CheckpointLoader.load_checkpoint(
            checkpoint, map_location='cpu').get('federation')
        check_resumed_settings(federation, settings)
        check_resumed_partition(federation, _build_parts(cfg, settings))
    # Not find_latest_checkpoint, which reports what it did not find.
    elif osp.isfile(osp.join(cfg.work_dir, 'last_checkpoint')):
        raise ConfigError(
            'work_dir', f'{cfg.work_dir} already holds a run',
            'continue it with --resume, or choose another --work-dir')
    else:
        _build_parts(cfg, settings)


def _build_parts(cfg: Config, settings: FederationSettings) -> str:
    """Build model and partition, to see whether they fit together.

    The runner builds them once more; it writes to the work dir before it
    does, where a run that is to be resumed must not be touched.

    Returns:
        str: Fingerprint of the partition.
    """
    scope = DefaultScope.overwrite_default_scope(
        cfg.get('default_scope', 'mmengine'))
    with scope:
        model = MODELS.build(copy.deepcopy(cfg.model))
        check_input_sizes(model, settings)
        for name in ('val_cfg', 'test_cfg'):
            _check_views(model, cfg.get(name) or {})
        dataset = DATASETS.build(
            copy.deepcopy(cfg.train_dataloader.dataset))
        shares = share_out(dataset, settings)
        find_personal(model, settings.local_params)
        count_distributions(settings.build_aggregator().distribution,
                            settings.clients, shares)
        objective = settings.build_local_objective()
        if objective and objective.feature_module:
            find_module(model, objective.feature_module)
    return fingerprint_of(shares, settings)


def _check_views(model, loop: dict):
    """Check what a loop over many resolutions will show the model."""
    if str(loop.get('type')).startswith('MultiResolution'):
        AnySizePredictor(
            model,
            list_views(
                loop.get('input_sizes'), loop.get('capture_sizes', ()),
                loop.get('upsample_to')))


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
        raise ConfigError('--resume', f'{cfg.work_dir} holds no checkpoint',
                          'leave it out to start, or give a path')
    if '://' not in path and not osp.isfile(path):
        raise ConfigError('--resume', f'no such file: {path}',
                          'give the path of a checkpoint')
    return path


def _check_evaluators(cfg: Config):
    """Check that the annotation files of the metrics exist."""
    evaluators = cfg.get('val_evaluator') or []
    if isinstance(evaluators, dict):
        evaluators = [evaluators]
    for evaluator in evaluators:
        path = evaluator.get('ann_file')
        if path and '://' not in path and not osp.exists(path):
            raise ConfigError('val_evaluator.ann_file',
                              f'no such path: {path}', 'set it')


def _check_amp(cfg: Config):
    if cfg.optim_wrapper.get('type') == 'AmpOptimWrapper' and \
            not torch.cuda.is_available():
        raise ConfigError('--amp', 'mixed precision needs a GPU, there is '
                          'none', 'leave it out')


def _check_dataset(dataset: dict, field: str):
    """Check that the files and folders of a dataset config exist."""
    root = dataset.get('data_root') or ''
    for key, path in _paths_of(dataset):
        path = osp.join(root, path)
        if '://' not in path and not osp.exists(path):
            raise ConfigError(f'{field}.{key}', f'no such path: {path}',
                              f'set it, or data_root (now {root!r})')
    # MMPose does not look for these under data_root.
    for key in ('bbox_file', 'headbox_file'):
        path = dataset.get(key) or ''
        if path and '://' not in path and not osp.exists(path):
            raise ConfigError(f'{field}.{key}', f'no such path: {path}',
                              'set it; data_root has no effect on it')
    for index, part in enumerate(dataset.get('datasets', ())):
        _check_dataset(part, f'{field}.datasets[{index}]')


def _paths_of(dataset: dict) -> Iterator[Tuple[str, str]]:
    if dataset.get('ann_file'):
        yield 'ann_file', dataset['ann_file']
    for key, path in dataset.get('data_prefix', {}).items():
        yield f'data_prefix.{key}', path
