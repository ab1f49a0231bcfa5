"""Whether a checkpoint continues the federation that a config describes."""

from typing import Optional

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
        saved = federation['identity'][key]
        if saved != value:
            raise ConfigError(
                f'{KEY}.{key}',
                f'the checkpoint was made with {saved}, the config has '
                f'{value}', 'resume with the same, or start anew with '
                'load_from and another work_dir')


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
