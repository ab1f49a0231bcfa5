"""Experiments that differ from one config in a few fields.

A set is a config file of MMEngine with

- ``base``: path of the config that is varied, from the set's folder;
- ``axes``: for each axis its values by name, each a dict from dotted field
  (as in ``--cfg-options``; numbers index lists) to what replaces it. Every
  combination of the axes' values is an experiment;
- ``input_sizes``: sizes (w, h) at which each model is evaluated;
- ``seeds``: each experiment is run with each; [0] by default.
"""

import copy
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

from mmengine.config import Config

from mmpose_raf.config_file import read_config
from mmpose_raf.errors import ConfigError

REQUIRED = ('base', 'axes', 'input_sizes')


@dataclass(frozen=True)
class Experiment:
    """One run of a set.

    Args:
        name (str): Values of the axes and the seed, ``gpe-raf-seed0``.
        config (Config): What is trained and then tested.
    """

    name: str
    config: Config


def load_experiments(path: Path) -> List[Experiment]:
    """Load a set.

    Args:
        path (Path): The set's file.

    Returns:
        list[Experiment]: The experiments, seed by seed, so that each
        comparison has a first result early.

    Raises:
        ConfigError: If the file is no such set.
    """
    described = read_config(path, 'set')
    for key in REQUIRED:
        if not described.get(key):
            raise ConfigError(f'{path}: {key}', 'it is missing',
                              'a set of experiments needs it')
    base = path.parent / described.base
    return [
        Experiment('-'.join([*values, f'seed{seed}']),
                   _compose(base, described, values, seed))
        for seed in described.get('seeds', [0])
        for values in itertools.product(*described.axes.values())
    ]


def _compose(base: Path, described: Config, values: List[str],
             seed: int) -> Config:
    """Config of the base with the values of all axes."""
    config = read_config(base)
    for (axis, choices), value in zip(described.axes.items(), values):
        replace_fields(config, choices[value], f'axes.{axis}.{value}')
    config.randomness = dict(seed=seed)
    for hook in config.custom_hooks:
        if hook.type == 'FederatedHook':
            hook.seed = seed
    config.test_cfg = dict(
        type='MultiResolutionTestLoop', input_sizes=described.input_sizes)
    return config


def replace_fields(config: Config, fields: Dict[str, Any], where: str):
    """Replace fields of a config; dicts are replaced, not merged.

    Args:
        config (Config): The config, changed in place.
        fields (dict): New values by dotted name, e.g.
            ``{'custom_hooks.1.clients': [...]}``.
        where (str): Where the fields stand, for messages.

    Raises:
        ConfigError: If a field lies in something that is not there.
    """
    for dotted, value in fields.items():
        *parents, last = dotted.split('.')
        at = config
        try:
            for name in parents:
                at = at[int(name)] if isinstance(at, list) else at[name]
            at[int(last) if isinstance(at, list) else last] = copy.deepcopy(
                value)
        except (LookupError, TypeError, ValueError):
            raise ConfigError(f'{where}: {dotted}',
                              'the config that is varied has no such field',
                              'give a dotted field of it') from None
