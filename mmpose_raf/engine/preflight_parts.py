"""Whether the parts of a config can be built and fit together."""

import copy

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.optim import build_optim_wrapper
from mmengine.registry import (DATASETS, HOOKS, LOOPS, METRICS, MODELS,
                               OPTIMIZERS, PARAM_SCHEDULERS, VISUALIZERS,
                               DefaultScope)
from torch import nn

from mmpose_raf.building import build, check_signature, explaining
from mmpose_raf.datasets.federated_dataset import FederatedDataset
from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.any_size import AnySizePredictor
from mmpose_raf.evaluation.view import list_views
from .adapted_clients import build_adapted
from .feature_contrast import FeatureContrast
from .federation_data import count_distributions, fingerprint_of, share_out
from .federation_settings import FederationSettings
from .narrow_clients import build_parts
from .personal_layers import find_personal
from .preflight_data import as_list
from .runner_checks import check_input_sizes


def check_parts(cfg: Config, settings: FederationSettings) -> str:
    """Build what a run is made of, to see whether it fits together.

    The runner builds it once more; it writes to the work dir before it does,
    where a run that is to be resumed must not be touched. Of what reads
    files or registers itself only the arguments are checked.

    Args:
        cfg (Config): The config of a run.
        settings (FederationSettings): Those of its federation.

    Returns:
        str: Fingerprint of the partition.

    Raises:
        ConfigError: If a part cannot be built, or two do not fit.
    """
    scope = DefaultScope.overwrite_default_scope(
        cfg.get('default_scope', 'mmengine'))
    with scope:
        _check_arguments(cfg)
        model = build(MODELS, copy.deepcopy(cfg.model), 'model')
        check_input_sizes(model, settings)
        for name in ('val_cfg', 'test_cfg'):
            _check_views(model, cfg.get(name) or {})
        _check_optimizer(model, cfg)
        field = 'train_dataloader.dataset'
        dataset = build(DATASETS, copy.deepcopy(cfg.train_dataloader.dataset),
                        field)
        _check_keypoints(model, dataset, field)
        shares = share_out(dataset, settings)
        # Its pipelines crop at the clients' sizes.
        FederatedDataset(settings.clients, shares.datasets, shares.indices,
                         getattr(model.head, 'sigma_mode', 'pixel'))
        adapted = build_adapted(settings, model)
        find_personal(adapted.model if adapted else model,
                      settings.local_params)
        build_parts(model, cfg.model, settings, settings.build_aggregator())
        count_distributions(settings.build_aggregator().distribution,
                            settings.clients, shares)
        for defence in settings.build_local_defence():
            defence.check(model)
        objective = settings.build_local_objective()
        if objective and objective.feature_module:
            FeatureContrast(model, objective)
    return fingerprint_of(shares, settings)


def _check_arguments(cfg: Config):
    """Check the arguments of what MMEngine builds late."""
    for name, hook in (cfg.get('default_hooks') or {}).items():
        if hook is not None:
            check_signature(HOOKS, hook, f'default_hooks.{name}', 'priority')
    for index, hook in enumerate(cfg.get('custom_hooks') or ()):
        hook = {key: hook[key] for key in hook if key != 'priority'}
        check_signature(HOOKS, hook, f'custom_hooks[{index}]')
    _check_train_loop(cfg.train_cfg)
    for name in ('val_evaluator', 'test_evaluator'):
        for metric in as_list(cfg.get(name)):
            check_signature(METRICS, metric, name)
    for name in ('val_cfg', 'test_cfg'):
        if (cfg.get(name) or {}).get('type'):
            check_signature(LOOPS, cfg[name], name, 'runner', 'dataloader',
                            'evaluator')
    if cfg.get('visualizer'):
        check_signature(VISUALIZERS, cfg.visualizer, 'visualizer', 'name',
                        'save_dir')


def _check_train_loop(config: dict):
    if not config.get('by_epoch', True):
        raise ConfigError('train_cfg.by_epoch', 'got False',
                          'use True: one epoch is one round')
    arguments = {key: config[key] for key in config if key != 'by_epoch'}
    check_signature(LOOPS, dict(type='EpochBasedTrainLoop', **arguments)
                    if 'type' not in config else arguments, 'train_cfg',
                    'runner', 'dataloader')


def _check_views(model: nn.Module, loop: dict):
    """Check what a loop over many resolutions will show the model."""
    if str(loop.get('type')).startswith('MultiResolution'):
        AnySizePredictor(
            model,
            list_views(
                loop.get('input_sizes'), loop.get('capture_sizes', ()),
                loop.get('upsample_to')))


def _check_optimizer(model: nn.Module, cfg: Config):
    """Build the optimizer and its schedules."""
    config = cfg.optim_wrapper
    if 'constructor' not in config:  # which may build several
        check_signature(OPTIMIZERS, config.get('optimizer'),
                        'optim_wrapper.optimizer', 'params')
    with explaining(config, 'optim_wrapper'):
        wrapper = build_optim_wrapper(model, copy.deepcopy(config))
    for index, schedule in enumerate(as_list(cfg.get('param_scheduler'))):
        schedule = dict(schedule)
        # MMEngine asks the class to convert it.
        schedule.pop('convert_to_iter_based', None)
        build(PARAM_SCHEDULERS, schedule, f'param_scheduler[{index}]',
              optimizer=wrapper)


def _check_keypoints(model: nn.Module, dataset: BaseDataset, field: str):
    """Refuse a head that has another number of keypoints."""
    channels = getattr(getattr(model, 'head', None), 'out_channels', None)
    number = (getattr(dataset, 'metainfo', None) or {}).get('num_keypoints')
    if isinstance(channels, int) and number and channels != number:
        raise ConfigError(
            'model.head.out_channels', f'got {channels}, but {field} has '
            f'{number} keypoints', f'use {number}')
