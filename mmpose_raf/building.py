"""Parts that are built from a config, and what they say about it."""

import contextlib
import re
from difflib import get_close_matches
from typing import Any, Callable, Iterator, Optional, Tuple

from mmengine.registry import Registry
from mmengine.registry.build_functions import build_from_cfg

from mmpose_raf.argument_types import (class_of, find_wrong_type, look_up,
                                       signature_of)
from mmpose_raf.errors import ConfigError, describe_error

# What constructors raise over their arguments, torch's with RuntimeError, and
# over packages that they need.
_COMPLAINTS = (ArithmeticError, AssertionError, AttributeError, ImportError,
               LookupError, RuntimeError, TypeError, ValueError)
_SEE = 'see its documentation'


def build(registry: Registry, config: dict, field: str, **arguments) -> Any:
    """Build a part, and tell what is wrong with its config in one line.

    The line names the innermost config at fault by its path: that of a head's
    loss is ``model.head.loss``. The constructor's own error is the cause of
    the one raised, for a traceback.

    Args:
        registry (Registry): Where its type is looked up first.
        config (dict): Its config; not changed.
        field (str): Where it stands, e.g. ``model``.
        **arguments: Further arguments of the constructor, which the config
            may not name.

    Raises:
        ConfigError: If the config is none, its type is unknown, or the
            constructor of it, or of a part in it, refuses an argument.
    """
    _check_type(registry, config, field)
    wrong = find_wrong_type(registry, config, field)
    if wrong is not None:
        raise ConfigError(*wrong)
    with explaining(config, field):
        return registry.build(config, default_args=arguments or None)


@contextlib.contextmanager
def explaining(config: Any, field: str) -> Iterator[None]:
    """Tell what is said over a config while it is built in here.

    Args:
        config (dict): What is built, maybe in parts.
        field (str): Where it stands.

    Raises:
        ConfigError: In the place of what constructors raise; see
            :func:`build`.
    """
    try:
        yield
    except ConfigError:
        raise
    except _COMPLAINTS as error:
        culprit, path = _find_culprit(error, config)
        raise _explain(error, culprit, field + path) from error


def check_signature(registry: Registry, config: Any, field: str, *given: str):
    """Check the arguments of a part that cannot be built yet.

    Args:
        registry (Registry): Where its type is looked up first.
        config (dict): Its config.
        field (str): Where it stands.
        *given (str): Arguments that whoever builds it adds.

    Raises:
        ConfigError: If its type is unknown, or an argument is unknown,
            missing or of a wrong type.
    """
    _check_type(registry, config, field)
    signature = signature_of(class_of(registry, config))
    name = config['type']
    for argument in config:
        if signature.is_closed and argument not in (*signature.hints, 'type',
                                                    '_scope_'):
            similar = get_close_matches(argument, signature.hints, 1)
            raise ConfigError(f'{field}.{argument}',
                              f'{name} has no such argument',
                              f'use {similar[0]}' if similar else _SEE)
    missing = signature.needed - {*config, *given}
    if missing:
        raise ConfigError(field, f'{name} needs {", ".join(sorted(missing))}',
                          'add it')
    wrong = find_wrong_type(registry, config, field)
    if wrong is not None:
        raise ConfigError(*wrong)


def _check_type(registry: Registry, config: Any, field: str):
    kind = config.get('type') if isinstance(config, dict) else None
    if isinstance(kind, str):
        kind = look_up(registry, kind)
    if not callable(kind):
        known = sorted(registry.module_dict)
        raise ConfigError(
            field, f'got {_short(config)}', 'use a dict with ' +
            (f'one of the types {", ".join(known)}'
             if 0 < len(known) < 60 else f'a known type of {registry.name}'))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'


def _find_culprit(error: BaseException, config: Any) -> Tuple[Any, str]:
    """What stands in the config for the innermost part that was being built.

    Args:
        error (Exception): What was raised on the way.
        config (dict): That of the outermost part.

    Returns:
        tuple[Any, str]: The part, and its path in the config.
    """
    found = config, ''
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code is build_from_cfg.__code__:
            built = step.tb_frame.f_locals['cfg']
            path = _path_of(built, config, _is_equal)
            if path is None:
                path = _path_of(built, config, _is_more)
            if path is not None:
                found = built, path
        step = step.tb_next
    return found


def _path_of(built: Any, config: Any,
             is_same: Callable[[Any, Any], bool]) -> Optional[str]:
    """Where what was built stands in a config, e.g. ``.head.loss``."""
    if is_same(built, config):
        return ''
    for step, value in _steps(config):
        path = _path_of(built, value, is_same)
        if path is not None:
            return step + path
    return None


def _is_equal(built: Any, config: Any) -> bool:
    return type(built) is type(config) and built == config


def _is_more(built: Any, config: Any) -> bool:
    """Whether arguments were added to a config before it was built."""
    return isinstance(config, dict) and isinstance(
        built, dict) and 'type' in config and all(
            name in built and built[name] == value
            for name, value in config.items())


def _steps(config: Any) -> Iterator[Tuple[str, Any]]:
    if isinstance(config, dict):
        for key, value in config.items():
            yield f'.{key}', value
    elif isinstance(config, (list, tuple)):
        for index, value in enumerate(config):
            yield f'[{index}]', value


def _explain_unknown(name: str, field: str) -> ConfigError:
    """A type that is in no registry, maybe for want of its package."""
    package = name.rpartition('.')[0]
    if not package:
        return ConfigError(field, f'{name} is not known',
                           'mend the name, or import what registers it')
    fix = f'install {package}, or mend the name'
    if name == 'mmpretrain.VisionTransformer':
        fix = f"{fix}; RAFViT with pos_embed='ape' is the same network"
    return ConfigError(
        field, f'{name} is not known: {package} is not installed, '
        'does not import or has no such type', fix)


def _explain(error: Exception, config: Any, field: str) -> ConfigError:
    """What a constructor has said, with the argument it is about."""
    if not isinstance(config, dict) or 'type' not in config:
        return ConfigError(field, f'got {_short(config)}',
                           'use a dict with a type')
    text = describe_error(error)
    name = str(config.get('type'))
    unexpected = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if unexpected and unexpected[1] in config:
        return ConfigError(f'{field}.{unexpected[1]}',
                           f'{name} has no such argument', _SEE)
    missing = re.search(r'missing \d+ required .*?argument.*?: (.*)',
                        str(error))
    if missing:
        return ConfigError(field, f'{name} needs {missing[1]}', 'add it')
    if 'is not in the' in text and 'registry' in text:
        return _explain_unknown(name, f'{field}.type')
    if isinstance(error, ImportError):
        problem, _, fix = ' '.join(str(error).split()).partition('; ')
        return ConfigError(field, problem, fix or 'install it')
    absent = re.search(r'\b(\w+) is not installed', str(error))
    if absent:
        return ConfigError(field, f'{name} needs {absent[1]}, which is not '
                           'installed', f'pip install {absent[1]}')
    if isinstance(error, (ValueError, AssertionError)) and str(error):
        text = ' '.join(str(error).split())
        # Those that check their arguments begin with the argument's name.
        first = re.match(r'["\'`]?(\w+)', text)
        if first and first[1] in config:
            field = f'{field}.{first[1]}'
    return ConfigError(field, text, _SEE)
