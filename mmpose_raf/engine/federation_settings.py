"""Whether a checkpoint continues the federation that a config describes."""

from typing import Optional

from mmpose_raf.errors import ConfigError


def check_resumed_settings(federation: Optional[dict], settings: dict):
    """Refuse a checkpoint of another federation.

    Args:
        federation (dict | None): What a checkpoint holds as ``federation``.
        settings (dict): ``FederatedHook.settings`` of the config.

    Raises:
        ConfigError: If the checkpoint has none, or one with other clients,
            partitioner or seed.
    """
    if federation is None:
        raise ConfigError(
            'resume', 'the checkpoint holds no federation',
            'use load_from to start one from its weights')
    for key, value in settings.items():
        saved = federation['settings'][key]
        if saved != value:
            raise ConfigError(
                f'FederatedHook.{key}',
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
