"""Every client trains to the end, by itself."""

import copy
from pathlib import Path
from typing import Dict, List

from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from mmpose_raf.engine.federation_settings import HOOK, FederationSettings
from mmpose_raf.engine.preflight import check_run
from mmpose_raf.work_dir_lock import lock_work_dir

# What is of rounds with others alone.
_OF_ROUNDS = ('aggregator', 'local_objective', 'participation', 'payload',
              'keep_updates')


def client_config(cfg: Config, settings: FederationSettings, client: str,
                  sends_poses: bool) -> Config:
    """Config of a run in which one client alone takes part.

    It is a federation of all, so that the client holds what it holds there,
    and an average of one: what a round ends with is what the next one starts
    from.

    Args:
        cfg (Config): That of the federation.
        settings (FederationSettings): Its settings.
        client (str): Name of the client.
        sends_poses (bool): Whether it also sends the statistics of its poses.
    """
    cfg = copy.deepcopy(cfg)
    cfg.work_dir = str(Path(cfg.work_dir, 'clients', client))
    cfg.setdefault('federation', {})
    hooks = [hook for hook in cfg.custom_hooks if hook.get('type') == HOOK]
    for place in (cfg.federation, *hooks):
        for name in _OF_ROUNDS:
            place.pop(name, None)
    after_the_end = [(cfg.train_cfg.max_epochs + 1, ) * 2]
    cfg.federation.participation = dict(
        presence={
            other.name: after_the_end
            for other in settings.clients if other.name != client
        })
    if sends_poses:
        cfg.custom_hooks = [
            *cfg.custom_hooks,
            dict(type='PoseStatisticsHook')
        ]
    # Hooks may need the data of the validation, which itself never comes.
    cfg.train_cfg.val_begin = cfg.train_cfg.max_epochs + 1
    cfg.setdefault('default_hooks', {}).checkpoint = dict(
        type='CheckpointHook', interval=1, max_keep_ckpts=1)
    # MMEngine finds message hub, logger and visualizer by name.
    name = f'{cfg.get("experiment_name") or Path(cfg.filename or "run").stem}'
    cfg.experiment_name = f'{name}_{client}'
    if cfg.get('visualizer'):
        cfg.visualizer.name = cfg.experiment_name
    return cfg


def check_clients(configs: Dict[str, Config]):
    """Check all that can be told before a client trains.

    Args:
        configs (dict[str, Config]): By client, see :func:`client_config`;
            those of clients that have begun are changed so that they go on.

    Raises:
        ConfigError: See :func:`check_run`.
    """
    for cfg in configs.values():
        cfg.resume = Path(cfg.work_dir, 'last_checkpoint').is_file()
        cfg.load_from = None if cfg.resume else cfg.get('load_from')
        check_run(cfg)


def train_clients(configs: Dict[str, Config]) -> List[dict]:
    """Train what has not been trained.

    Args:
        configs (dict[str, Config]): By client, as :func:`check_clients` has
            left them.

    Returns:
        list[dict]: Each client's last checkpoint.
    """
    return [_train(cfg) for cfg in configs.values()]


def _train(cfg: Config) -> dict:
    rounds = cfg.train_cfg.max_epochs
    saved = _last_checkpoint(cfg) if cfg.resume else None
    if saved is None or saved['meta']['epoch'] < rounds:
        with lock_work_dir(cfg.work_dir):
            Runner.from_cfg(cfg).train()
        saved = _last_checkpoint(cfg)
    return saved


def _last_checkpoint(cfg: Config) -> dict:
    return CheckpointLoader.load_checkpoint(
        find_latest_checkpoint(cfg.work_dir),
        map_location='cpu',
        logger='silent')
