"""The clients of a federation as a config names them."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.ladder import check_ladder
from mmpose_raf.sizes import Size, is_size, size_name

KEYS = ('name', 'input_size', 'capture_size', 'dataset',
        'samples_per_second', 'attack', 'width')


@dataclass(frozen=True)
class Client:
    """A client of a federation.

    Args:
        name (str): Its name in logs and checkpoints.
        input_size (tuple[int, int]): Native input size (w, h) in pixels; the
            highest, if it has several.
        lower_sizes (tuple[tuple[int, int]]): Its other native sizes, if its
            images come from several cameras. Defaults to ().
        capture_size (tuple[int, int], optional): What its camera sees of the
            frame of a crop, see :class:`CapturedTopdownAffine`. Defaults to
            None: the source image as it is.
        dataset (dict, optional): Config of its own dataset; by default it
            holds a part of the training dataset.
        samples_per_second (float, optional): How fast it trains, on the
            simulated clock. Defaults to None: it is not simulated.
        attacks (tuple[dict]): Configs of what a hostile client does, see
            :mod:`mmpose_raf.attacks`, in their order. Defaults to (): it is
            honest.
        width (float): Share of the channels of each layer that its model
            has, in (0, 1]. Defaults to 1: the whole model.
    """

    name: str
    input_size: Size
    lower_sizes: Tuple[Size, ...] = ()
    capture_size: Optional[Size] = None
    dataset: Optional[dict] = None
    samples_per_second: Optional[float] = None
    attacks: Tuple[dict, ...] = ()
    width: float = 1.

    @property
    def input_sizes(self) -> Tuple[Size, ...]:
        """tuple[tuple[int, int]]: All its native sizes, from high to low."""
        return (self.input_size, *self.lower_sizes)

    @property
    def camera_size(self) -> Size:
        """tuple[int, int]: Pixels (w, h) that its camera has taken of a crop;
        the input may be larger."""
        return self.capture_size or self.input_size

    @property
    def resolution(self) -> str:
        """str: Its native sizes for tables, HxW."""
        return ', '.join(map(size_name, self.input_sizes))

    def part(self, indices: np.ndarray, size: int) -> np.ndarray:
        """Samples of a client that are seen at one of its native sizes.

        Every sample has one size, always the same.

        Args:
            indices (np.ndarray): All samples of the client.
            size (int): Index into ``input_sizes``.
        """
        return indices[size::len(self.input_sizes)]


def parse_clients(configs: Sequence[dict], field: str) -> List[Client]:
    """Check and parse the clients of a config.

    Args:
        configs (list[dict]): One dict for each client with ``name``,
            ``input_size`` (or a list of several), optionally
            ``capture_size``, ``attack`` (or a list of them) and ``width``,
            and, for all or none of them, ``dataset`` and
            ``samples_per_second``.
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
    if len({client.samples_per_second is None for client in clients}) > 1:
        raise ConfigError(
            field, 'some clients have samples_per_second, others not',
            'give every client its speed, or none')
    return clients


def _is_name(name: Any) -> bool:
    """Whether logs, tables and file names can show it."""
    return isinstance(name, str) and 0 < len(
        name) <= 64 and name.isprintable() and name == name.strip(
        ) and not set(name) & set('/\\') and name.strip('.') != ''


def _parse_client(config: dict, field: str) -> Client:
    if not isinstance(config, dict):
        raise ConfigError(field, f'got {config!r}',
                          'use dict(name=..., input_size=(w, h))')
    unknown = sorted(set(config) - set(KEYS))
    if unknown:
        raise ConfigError(f'{field}.{unknown[0]}', 'unknown key',
                          f'the keys of a client are {", ".join(KEYS)}')
    name, size = config.get('name'), config.get('input_size')
    if not _is_name(name):
        raise ConfigError(f'{field}.name', f'got {name!r}',
                          'give the client a name of up to 64 printable '
                          'characters, without slashes')
    sizes = [size] if is_size(size) else size
    if not isinstance(sizes, (list, tuple)) or not sizes or not all(
            map(is_size, sizes)):
        raise ConfigError(
            f'{field}.input_size', f'got {size!r}',
            'give its native size in pixels as (w, h), or a list of them')
    highest, *lower = check_ladder(sizes)
    captured = config.get('capture_size')
    if captured is not None and not is_size(captured):
        raise ConfigError(f'{field}.capture_size', f'got {captured!r}',
                          'give what its camera sees of a crop, in pixels, '
                          'as (w, h)')
    speed = config.get('samples_per_second')
    if speed is not None and not (isinstance(speed, Real) and speed is not True
                              and 0 < speed < math.inf):
        raise ConfigError(f'{field}.samples_per_second', f'got {speed!r}',
                          'give a number > 0')
    width = config.get('width', 1.)
    if not (isinstance(width, Real) and width is not True and 0 < width <= 1):
        raise ConfigError(f'{field}.width', f'got {width!r}',
                          'give a share of the channels in (0, 1]')
    attacks = config.get('attack', ())
    if isinstance(attacks, dict):
        attacks = (attacks, )
    if not isinstance(attacks, (list, tuple)):
        raise ConfigError(f'{field}.attack', f'got {attacks!r}',
                          "use dict(type='SignFlip') or the like, or a list")
    return Client(name, highest, tuple(lower), captured and tuple(captured),
                  config.get('dataset'), speed, tuple(attacks), float(width))
