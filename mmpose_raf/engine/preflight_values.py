"""Plain values of a config that MMEngine takes, and fails on much later."""

from typing import Any, Callable, Iterator, NamedTuple, Tuple

from mmengine.config import Config

from mmpose_raf.errors import ConfigError


class _Rule(NamedTuple):
    """What a value may be, if it is there and not None."""

    wanted: str
    is_valid: Callable[[Any], bool]


def _whole_from(lowest: int, *others: int) -> _Rule:
    wanted = ' or '.join([f'an integer of at least {lowest}',
                          *map(str, others)])
    return _Rule(
        wanted, lambda value: type(value) is int and
        (lowest <= value <= MOST or value in others))


#: More epochs, workers or samples of a batch are a mistake.
MOST = 2**31 - 1
_DICT = _Rule('a dict', lambda value: isinstance(value, dict))
_DICTS = _Rule(
    'a list of dicts', lambda value: isinstance(value, (list, tuple)) and all(
        isinstance(item, dict) for item in value))
_DICT_OR_DICTS = _Rule(
    'a dict or a list of dicts',
    lambda value: _DICT.is_valid(value) or _DICTS.is_valid(value))
_TEXT = _Rule('a string', lambda value: isinstance(value, str) and value != '')
# MMEngine imports the registry of this package.
_SCOPE = _Rule(
    "the name of a package, such as 'mmpose'",
    lambda value: isinstance(value, str) and all(
        part.isidentifier() for part in value.split('.')))
_BOOL = _Rule('True or False', lambda value: isinstance(value, bool))

_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
# A field comes after those it lies in.
_RULES = {
    'model': _DICT,
    'train_cfg': _DICT,
    'val_cfg': _DICT,
    'test_cfg': _DICT,
    'optim_wrapper': _DICT,
    'randomness': _DICT,
    'env_cfg': _DICT,
    'default_hooks': _DICT,
    'custom_hooks': _DICTS,
    'param_scheduler': _DICT_OR_DICTS,
    'val_evaluator': _DICT_OR_DICTS,
    'test_evaluator': _DICT_OR_DICTS,
    'visualizer': _DICT,
    'work_dir': _TEXT,
    'load_from': _TEXT,
    'resume': _BOOL,
    'default_scope': _SCOPE,
    'train_cfg.max_epochs': _whole_from(1),
    'train_cfg.val_interval': _whole_from(1),
    'train_cfg.val_begin': _whole_from(1),
    'default_hooks.logger': _DICT,
    'default_hooks.logger.interval': _whole_from(1),
    'default_hooks.checkpoint': _DICT,
    'default_hooks.checkpoint.interval': _whole_from(1, -1),
    'default_hooks.checkpoint.max_keep_ckpts': _whole_from(1, -1),
    **{
        name: rule
        for loader in _LOADERS for name, rule in {
            loader: _DICT,
            f'{loader}.dataset': _DICT,
            f'{loader}.batch_size': _whole_from(1),
            f'{loader}.num_workers': _whole_from(0),
            f'{loader}.prefetch_factor': _whole_from(1),
        }.items()
    }
}


def check_plain_values(cfg: Config):
    """Refuse values that no run can have.

    Args:
        cfg (Config): The config of a run.

    Raises:
        ConfigError: If a section is none, a count is out of its range, or a
            number anywhere is NaN.
    """
    for field, rule in _RULES.items():
        value = _find(cfg, field)
        if value is not None and not rule.is_valid(value):
            raise ConfigError(field, f'got {str(value)[:80]!r}' if isinstance(
                value, (str, dict, list, tuple)) else f'got {value!r}',
                              f'use {rule.wanted}')
    for loader in _LOADERS:
        if cfg.get(loader) and cfg[loader].get('dataset') is None:
            raise ConfigError(f'{loader}.dataset', 'it is missing',
                              'a data loader needs one')
    for path, value in _numbers(cfg._cfg_dict, ''):
        if value != value:
            raise ConfigError(path, 'got nan', 'give a number')


def _find(cfg: Config, field: str) -> Any:
    """A field that lies in sections which are checked; None if it is not."""
    value: Any = cfg
    for name in field.split('.'):
        value = value.get(name)
        if value is None:
            return None
    return value


def _numbers(value: Any, path: str) -> Iterator[Tuple[str, float]]:
    if isinstance(value, float):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f'{path}.{key}' if path else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _numbers(item, f'{path}[{index}]')
