"""Checks of the single settings of a federation."""

import math
from numbers import Integral
from typing import Any, Callable, Sequence, Tuple, Union

from mmpose_raf.errors import ConfigError
from mmpose_raf.federation.payload import KINDS

#: Where the settings stand in a config.
KEY = 'federation'


#: Local epochs, or refusals, beyond which a number is a mistake.
MOST = 10_000


def _is_int(value: Any, lowest: int, highest: float = math.inf) -> bool:
    return isinstance(value, Integral) and not isinstance(
        value, bool) and lowest <= value <= highest


def _is_count(value: Any) -> bool:
    return _is_int(value, 1, MOST)


# Of the plain settings, what they may be.
_VALUES = {
    'local_epochs': (f'an integer from 1 to {MOST}', _is_count),
    'optimizer_state': ("'keep' or 'reset'", ('keep', 'reset').__contains__),
    'max_refusals': (f'an integer from 1 to {MOST}', _is_count),
    'payload': (' or '.join(map(repr, KINDS)), KINDS.__contains__),
    'keep_updates': ('True or False', lambda value: isinstance(value, bool))
}
_EXECUTION_VALUES = {
    'parallel': ("'batches' or 'clients'", ('batches', 'clients')),
    'state_device': ("'cpu' or 'model'", ('cpu', 'model')),
    'overlap': ('True or False', (True, False))
}
# What settings of earlier versions have become, and what others have.
_RENAMED = dict(
    asynchronous='leave it out: it follows from the aggregator',
    availability='use participation=dict(presence=...)',
    client_fraction='use participation',
    differential_privacy="use aggregator=dict(type='DPFedAvg', ...)",
    parallel='use execution=dict(parallel=...)',
    proxy_samples="give it to the aggregator: dict(type='LearnableWeights', "
    'proxy_samples=...)',
    secure_aggregation='there is none: a server that sees a sum alone can '
    'check and refuse no update',
    seed='use randomness=dict(seed=...)',
    state_device='use execution=dict(state_device=...)',
    update_cosines='use keep_updates')


def check_names(config: dict, known: Sequence[str]):
    """Refuse settings that there are not.

    Args:
        config (dict): The settings by name.
        known (list[str]): Names that there are.

    Raises:
        ConfigError: If one is not among them.
    """
    for name in config:
        if name in known:
            continue
        raise ConfigError(
            f'{KEY}.{name}', 'there is no such setting',
            _RENAMED.get(name, f'the settings are {", ".join(known)}'))


def check_values(config: dict):
    """Refuse plain settings that are not what they may be.

    Args:
        config (dict): The settings by name.

    Raises:
        ConfigError: If one is not.
    """
    for name, (wanted, is_valid) in _VALUES.items():
        if name in config:
            check(name, config[name], wanted, is_valid(config[name]))
    execution = config.get('execution', {})
    check('execution', execution, 'a dict of ' + ', '.join(_EXECUTION_VALUES),
           isinstance(execution, dict)
           and execution.keys() <= _EXECUTION_VALUES.keys())
    for name, value in execution.items():
        wanted, choices = _EXECUTION_VALUES[name]
        check(f'execution.{name}', value, wanted, value in choices)


def check(name: str, value: Any, wanted: str, is_valid: bool):
    """Refuse a setting that is not what is wanted."""
    if not is_valid:
        raise ConfigError(f'{KEY}.{name}', f'got {value!r}', f'use {wanted}')


def parse_seed(seed: Any) -> int:
    """The run's ``randomness.seed``; 0 if there is none.

    Raises:
        ConfigError: If it is no integer from 0 on.
    """
    if seed is None:
        return 0
    if not _is_int(seed, 0):
        raise ConfigError('randomness.seed', f'got {seed!r}',
                          'use an integer of at least 0')
    return seed


def parse_defence(defence: Any) -> Tuple[dict, ...]:
    """See ``local_defence``; whether the types are known is seen later."""
    if isinstance(defence, dict):
        defence = (defence, )
    check('local_defence', defence,
          "dict(type='AdversarialTraining') or the like, or a list of them",
          isinstance(defence, (list, tuple)))
    return tuple(defence)


def parse_patterns(patterns: Any) -> Union[str, Tuple[str, ...]]:
    """See ``local_params``; whether they fit the model is seen later."""
    is_list = isinstance(patterns, (list, tuple)) and all(
        isinstance(pattern, str) for pattern in patterns)
    check('local_params', patterns,
           "'norm' or a list of patterns like 'head.*'",
           patterns == 'norm' or is_list)
    return patterns if isinstance(patterns, str) else tuple(patterns)
