"""The clients of a federation as a config names them."""

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.ladder import is_size

KEYS = ('name', 'input_size', 'dataset')


@dataclass(frozen=True)
class Client:
    """A client of a federation.

    Args:
        name (str): Its name in logs and checkpoints.
        input_size (tuple[int, int]): Native input size (w, h) in pixels.
        dataset (dict, optional): Config of its own dataset; by default it
            holds a part of the training dataset.
    """

    name: str
    input_size: Tuple[int, int]
    dataset: Optional[dict] = None


def parse_clients(configs: Sequence[dict], field: str) -> List[Client]:
    """Check and parse the clients of a config.

    Args:
        configs (list[dict]): One dict for each client with ``name``,
            ``input_size`` and, for all or none of them, ``dataset``.
        field (str): Where they stand in the config, for messages.

    Raises:
        ConfigError: If a client is not as described.
    """
    if not isinstance(configs, (list, tuple)) or not configs:
        raise ConfigError(field, f'got {configs!r}',
                          'list at least one dict(name=..., input_size=...)')
    clients = [
        _parse_client(config, f'{field}[{index}]')
        for index, config in enumerate(configs)
    ]
    names = [client.name for client in clients]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ConfigError(f'{field}[{index}].name',
                              f'{name!r} is taken by another client',
                              'give every client its own name')
    if len({client.dataset is None for client in clients}) > 1:
        raise ConfigError(
            field, 'some clients have a dataset of their own, others not',
            'give one to every client, or to none and a partitioner shares '
            'out the training dataset')
    return clients


def _parse_client(config: dict, field: str) -> Client:
    if not isinstance(config, dict):
        raise ConfigError(field, f'got {config!r}',
                          'use dict(name=..., input_size=(w, h))')
    unknown = sorted(set(config) - set(KEYS))
    if unknown:
        raise ConfigError(f'{field}.{unknown[0]}', 'unknown key',
                          f'the keys of a client are {", ".join(KEYS)}')
    name, size = config.get('name'), config.get('input_size')
    if not isinstance(name, str) or not name:
        raise ConfigError(f'{field}.name', f'got {name!r}',
                          'give the client a name')
    if not is_size(size):
        raise ConfigError(f'{field}.input_size', f'got {size!r}',
                          'give its native size in pixels as (w, h)')
    return Client(name, tuple(size), config.get('dataset'))
