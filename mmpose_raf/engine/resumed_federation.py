"""Whether a checkpoint continues the federation that a config describes."""

from typing import Any, Iterator, Optional, Tuple

from mmengine.config import Config

from mmpose_raf.errors import ConfigError
from .federation_settings import FederationSettings
from .settings_checks import KEY


def check_resumed_settings(federation: Optional[dict],
                           settings: FederationSettings):
    """Refuse a checkpoint of another federation.

    Args:
        federation (dict | None): What a checkpoint holds as ``federation``.
        settings (FederationSettings): Those of the config.

    Raises:
        ConfigError: If the checkpoint has none, or one with other settings.
    """
    if federation is None:
        raise ConfigError(
            'resume', 'the checkpoint holds no federation',
            'use load_from to start one from its weights')
    if 'identity' not in federation:
        raise ConfigError(
            'resume', 'the checkpoint is of an older version of mmpose_raf',
            'use load_from to go on from its weights')
    for key, value in settings.identity().items():
        # What older versions did not know was not set.
        saved = federation['identity'].get(key)
        if saved != value:
            raise ConfigError(
                f'{KEY}.{key}',
                f'the checkpoint was made with {saved}, the config has '
                f'{value}', 'resume with the same, or start anew with '
                'load_from and another work_dir')


def describe_run(cfg: Config) -> dict:
    """What beside the federation must be the same, as plain values.

    Args:
        cfg (Config): The config of a run.

    Returns:
        dict: Architecture, optimizer and batch size by their fields. Where
        first weights come from, whether the model is compiled and the
        precision may change.
    """
    return _plain({
        'model': _without(cfg.get('model'), 'init_cfg', 'torch_compile'),
        'optim_wrapper': _without(cfg.get('optim_wrapper'), 'type',
                                  'loss_scale', 'dtype'),
        'train_dataloader': {
            'batch_size': (cfg.get('train_dataloader')
                           or {}).get('batch_size')
        }
    })


def _without(value: Any, *names: str) -> Any:
    """A config without fields of these names, at any depth of the model."""
    if isinstance(value, dict):
        top = 'type' in names
        return {
            key: _without(item, *(set(names) - {'type'} if top else names))
            for key, item in value.items() if key not in names
        }
    if isinstance(value, (list, tuple)):
        return [_without(item, *names) for item in value]
    return value


def _plain(value: Any) -> Any:
    """Values that a checkpoint keeps; of others the way they are written."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return repr(value)


def check_resumed_run(federation: dict, cfg: Config):
    """Refuse a checkpoint of another model, optimizer or batch size.

    Args:
        federation (dict): What a checkpoint holds as ``federation``.
        cfg (Config): The config of the run that continues it.

    Raises:
        ConfigError: If one is another. It names the first field.
    """
    saved = federation.get('run')
    if saved is None:  # written before it was kept
        return
    for field, before, now in differences(saved, describe_run(cfg)):
        raise ConfigError(
            field, f'the checkpoint was made with {before}, the config has '
            f'{now}', 'resume with the same, or start anew with load_from '
            'and another work_dir')


def differences(saved: Any, found: Any,
                path: str = '') -> Iterator[Tuple[str, str, str]]:
    """Where two nested values differ: the place, and how each is written."""
    if isinstance(saved, dict) and isinstance(found, dict):
        for key in [*saved, *(key for key in found if key not in saved)]:
            yield from differences(
                saved.get(key), found.get(key), f'{path}.{key}'.strip('.'))
    elif isinstance(saved, list) and isinstance(
            found, list) and len(saved) == len(found):
        for index, pair in enumerate(zip(saved, found)):
            yield from differences(*pair, f'{path}[{index}]')
    elif saved != found:
        yield path, repr(saved)[:80], repr(found)[:80]


def check_resumed_partition(federation: dict, fingerprint: str):
    """Refuse a checkpoint whose clients held other samples.

    Args:
        federation (dict): What a checkpoint holds as ``federation``.
        fingerprint (str): Fingerprint of the partition now.

    Raises:
        ConfigError: If it is another one.
    """
    if federation['fingerprint'] != fingerprint:
        raise ConfigError(
            'train_dataloader.dataset',
            'its partition is not that of the checkpoint',
            'resume with the annotations that the run was started with')
