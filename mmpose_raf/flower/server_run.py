"""A run of the server, from its config to its checkpoints."""

import copy
import os.path as osp

from flwr.serverapp import Grid
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmpose_raf.config_file import read_config
from mmpose_raf.engine.federation_settings import FederationSettings
from mmpose_raf.engine.preflight import checkpoint_to_resume, read_settings
from mmpose_raf.engine.preflight_data import check_dataset
from mmpose_raf.engine.settings_checks import KEY
from mmpose_raf.errors import ConfigError
from mmpose_raf.work_dir_lock import lock_work_dir
from .deployment import Deployment
from .nodes import Nodes
from .server_loop import Patience, ServerHook
from .shared_config import as_written, seed_alike
from .training_terms import describe_training


def run_server(grid: Grid, deployment: Deployment) -> Runner:
    """Train a federation whose clients are Flower's nodes.

    Args:
        grid (Grid): Flower's way to the nodes.
        deployment (Deployment): What to train, and how.

    Returns:
        Runner: The server's, after the training.

    Raises:
        ConfigError: If that cannot be done.
        TrainingError: If too few clients connect.
    """
    cfg = read_config(deployment.config, 'run config: config')
    settings = read_settings(cfg)
    training = describe_training(cfg, settings)
    sizes = [tuple(size) for size in
             (cfg.get('val_cfg') or {}).get('input_sizes', ())]
    _localise(cfg, deployment)
    _check(cfg, settings)
    seed_alike(cfg, settings)
    with lock_work_dir(cfg.work_dir):
        train_dataset = cfg.train_dataloader.dataset
        runner = Runner.from_cfg(cfg)
        if any(isinstance(hook, EMAHook) for hook in runner.hooks):
            raise ConfigError('custom_hooks', 'EMAHook averages over the '
                              'iterates of all clients, which the server '
                              'does not see', 'leave it out')
        runner._train_dataloader = _without_samples(cfg, train_dataset)
        runner.register_hook(
            ServerHook(
                settings,
                Nodes(grid, [client.name for client in settings.clients],
                      runner.logger), training,
                Patience(deployment.wait, deployment.timeout),
                sizes if deployment.evaluate == 'clients' else None))
        runner.train()
    return runner


def _localise(cfg: Config, deployment: Deployment):
    """Leave in a config what a server does."""
    cfg.work_dir = deployment.work_dir or cfg.get('work_dir') or osp.join(
        'work_dirs', osp.splitext(osp.basename(deployment.config))[0])
    cfg.resume, cfg.launcher = deployment.resume, 'none'
    servers = ['FederatedHook']
    if deployment.evaluate != 'server':
        servers.append('FeatureMovementHook')
        for key in ('val_cfg', 'val_dataloader', 'val_evaluator'):
            cfg.pop(key, None)
    cfg.custom_hooks = [
        hook for hook in cfg.get('custom_hooks') or ()
        if as_written(hook['type']) not in servers
    ]
    # It takes no step: without moments, on whatever device.
    cfg.optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.))
    cfg.param_scheduler = None


def _check(cfg: Config, settings: FederationSettings):
    """Refuse what a server cannot do, before anything is written.

    Raises:
        ConfigError: If the federation cannot be deployed, a file is missing,
            or the work dir holds another run.
    """
    aggregator = settings.build_aggregator()
    name = type(aggregator).__name__
    if aggregator.is_asynchronous:
        raise ConfigError(
            f'{KEY}.aggregator', f'{name} is asynchronous, and its clock is '
            'simulated', 'use a synchronous one over the network')
    if aggregator.proxy_samples:
        raise ConfigError(
            f'{KEY}.aggregator', f'{name} needs training samples, of which '
            'the server has none', 'use another one over the network')
    if settings.adapters:
        raise ConfigError(
            f'{KEY}.adapters', 'the frozen weights are never sent, and who '
            'has which is not checked', 'leave them out over the network')
    for index, client in enumerate(settings.clients):
        if client.width != 1 and settings.local_params:
            raise ConfigError(
                f'{KEY}.local_params', 'a narrower client does not know '
                'their first values, which are not sent',
                'leave it out over the network')
        if client.attacks:
            raise ConfigError(f'{KEY}.clients[{index}].attack',
                              'attacks are simulated',
                              'leave them out over the network')
    if cfg.get('val_dataloader'):
        with _scope(cfg):
            check_dataset(cfg.val_dataloader.dataset,
                          'val_dataloader.dataset')
    if checkpoint_to_resume(cfg) is None and osp.isfile(
            osp.join(cfg.work_dir, 'last_checkpoint')):
        raise ConfigError('work_dir', f'{cfg.work_dir} already holds a run',
                          "continue it with -c 'resume=true', or choose "
                          'another work-dir')


def _without_samples(cfg: Config, dataset: dict) -> DataLoader:
    """A loader of nothing that knows what a keypoint is.

    Checkpoints hold the metainfo of the training dataset, whose samples are
    the clients'.
    """
    with _scope(cfg):
        known = DATASETS.build(dict(copy.deepcopy(dataset), lazy_init=True))
    return DataLoader(known, sampler=[])


def _scope(cfg: Config):
    return DefaultScope.overwrite_default_scope(
        cfg.get('default_scope', 'mmengine'))
