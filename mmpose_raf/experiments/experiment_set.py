"""Experiments that differ from one config in a few fields.

A set is a config file of MMEngine with

- ``base``: path of the config that is varied, from the set's folder;
- ``axes``: for each axis its values by name, each a dict from dotted field
  (as in ``--cfg-options``; numbers index lists) to what replaces it, or a
  list of such dicts, of which the later ones count. Every combination of the
  axes' values is an experiment;
- ``input_sizes``: sizes (w, h) at which each model is evaluated;
- ``seeds``: each experiment is run with each; [0] by default.
"""

import copy
import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

from mmengine.config import Config

from mmpose_raf.config_file import read_config
from mmpose_raf.engine.evaluate_run import multi_resolution_test
from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.view import check_sizes

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
    _check(described, path)
    base = path.parent / described.base
    return [
        Experiment('-'.join([*values, f'seed{seed}']),
                   _compose(base, described, values, seed))
        for seed in described.get('seeds', [0])
        for values in itertools.product(*described.axes.values())
    ]


def _check(described: Config, path: Path):
    """Refuse a set that does not hold what it must."""
    for key in REQUIRED:
        if not described.get(key):
            raise ConfigError(f'{path}: {key}', 'it is missing',
                              'a set of experiments needs it')
    check_sizes(described.input_sizes, f'{path}: input_sizes')
    seeds = described.get('seeds', [0])
    is_list = isinstance(seeds, (list, tuple)) and len(seeds) > 0
    if not is_list or not all(isinstance(seed, int) for seed in seeds):
        raise ConfigError(f'{path}: seeds', f'got {seeds!r}',
                          'give a list of integers')
    if not isinstance(described.base, str):
        raise ConfigError(f'{path}: base', f'got {described.base!r}',
                          'give the path of a config')
    axes = described.axes
    if not isinstance(axes, dict):
        raise ConfigError(f'{path}: axes', f'got {axes!r}',
                          'give a dict of axes')
    for axis, choices in axes.items():
        if not isinstance(choices, dict) or not choices:
            raise ConfigError(f'{path}: axes.{axis}', f'got {choices!r}',
                              'give a dict from names to fields')
        for name, fields in choices.items():
            parts = fields if isinstance(fields, list) else [fields]
            if not all(isinstance(part, dict) for part in parts):
                raise ConfigError(f'{path}: axes.{axis}.{name}',
                                  f'got {fields!r}',
                                  'give a dict of dotted fields, or a list of '
                                  'such dicts')
            if not re.fullmatch(r'[\w.]+', name):
                raise ConfigError(f'{path}: axes.{axis}', f'got {name!r}',
                                  'name values by letters, digits, _ and .')


def _compose(base: Path, described: Config, values: List[str],
             seed: int) -> Config:
    """Config of the base with the values of all axes."""
    config = read_config(base)
    config.test_cfg = multi_resolution_test(config.get('test_cfg'),
                                            described.input_sizes)
    for (axis, choices), value in zip(described.axes.items(), values):
        fields = choices[value]
        for part in fields if isinstance(fields, list) else [fields]:
            replace_fields(config, part, f'axes.{axis}.{value}')
    config.randomness = dict(config.get('randomness', {}), seed=seed)
    return config


def replace_fields(config: Config, fields: Dict[str, Any], where: str):
    """Replace fields of a config; dicts are replaced, not merged.

    Args:
        config (Config): The config, changed in place.
        fields (dict): New values by dotted name, e.g.
            ``{'federation.clients': [...]}``.
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
        except (LookupError, TypeError, ValueError) as error:
            raise ConfigError(f'{where}: {dotted}',
                              'the config that is varied has no such field',
                              'give a dotted field of it') from error
