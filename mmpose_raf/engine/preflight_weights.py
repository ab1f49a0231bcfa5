"""Whether the weights that a model begins with can be had."""

import os
import os.path as osp
from typing import Any, Iterator, Tuple
from urllib.error import URLError

from mmengine.runner.checkpoint import CheckpointLoader

from mmpose_raf.errors import ConfigError, describe_error


def check_pretrained(model: dict):
    """See that files of weights are there, and that others can be loaded.

    What is downloaded stays in torch's cache, where the model finds it.

    Args:
        model (dict): Config of the model.

    Raises:
        ConfigError: If a file is missing, or an address cannot be reached.
    """
    # The other processes of a run need not download it too.
    if os.environ.get('RANK', '0') != '0':
        return
    for field, path in _pretrained(model, 'model'):
        if '://' not in path:
            if not osp.isfile(osp.expanduser(path)):
                raise ConfigError(field, f'no such file: {path}',
                                  'give the path of a checkpoint')
            continue
        try:
            CheckpointLoader.load_checkpoint(
                path, map_location='cpu', logger='silent')
        except (ImportError, URLError, OSError) as error:
            raise ConfigError(
                field, f'{path} cannot be loaded ({describe_error(error)})',
                'download it elsewhere and give its path, or start from '
                'random weights with init_cfg=None') from error


def _pretrained(config: Any, field: str) -> Iterator[Tuple[str, str]]:
    """Fields that name weights, and what they name."""
    if isinstance(config, dict):
        path = config.get('checkpoint')
        if config.get('type') == 'Pretrained' and isinstance(path, str):
            yield f'{field}.checkpoint', path
        for key, value in config.items():
            yield from _pretrained(value, f'{field}.{key}')
    elif isinstance(config, (list, tuple)):
        for index, value in enumerate(config):
            yield from _pretrained(value, f'{field}[{index}]')
