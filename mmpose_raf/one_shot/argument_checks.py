"""Checks of the settings of one-shot learning."""

import dataclasses
import math
from numbers import Integral, Real
from typing import Any, Type, TypeVar

from mmpose_raf.errors import ConfigError

#: Where the settings stand in a config.
KEY = 'one_shot'

Part = TypeVar('Part')


def build_part(kind: Type[Part], config: Any, field: str) -> Part:
    """Make a dataclass of its fields in a config.

    Raises:
        ConfigError: If it is no dict, or names a field that there is not.
    """
    names = [item.name for item in dataclasses.fields(kind)]
    if not isinstance(config, dict):
        raise ConfigError(field, f'got {config!r}',
                          f'use a dict of {", ".join(names)}')
    for name in config:
        if name not in names:
            raise ConfigError(f'{field}.{name}', 'there is no such setting',
                              f'the settings are {", ".join(names)}')
    return kind(**config)


def check_count(value: Any, field: str):
    """Raise ConfigError unless a value is an integer of at least 1."""
    if not isinstance(value, Integral) or isinstance(value,
                                                     bool) or value < 1:
        raise ConfigError(field, f'got {value!r}',
                          'use an integer of at least 1')


def check_weight(value: Any, field: str, above_zero: bool = False):
    """Raise ConfigError unless a value is a finite number >= 0, or > 0."""
    if not is_number(value) or value < 0 or (above_zero and value == 0):
        raise ConfigError(
            field, f'got {value!r}', 'use a number ' +
            ('above 0' if above_zero else 'of at least 0'))


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, Real) and not isinstance(
        value, bool) and math.isfinite(value)
