"""Arguments in a config that are not of the type that is annotated."""

import inspect
import re
import types
import typing
from collections import abc
from typing import Any, Dict, NamedTuple, Optional, Set, Tuple

from mmengine.registry import (DATASETS, METRICS, MODELS, OPTIMIZERS,
                               TRANSFORMS, VISBACKENDS, Registry)
from mmpose.registry import KEYPOINT_CODECS

# Of parts that stand in the config of another one.
_NESTED = (MODELS, KEYPOINT_CODECS, TRANSFORMS, DATASETS, METRICS, OPTIMIZERS,
           VISBACKENDS)
_VARIABLE = (inspect.Parameter.VAR_KEYWORD,
             inspect.Parameter.VAR_POSITIONAL)
_UNIONS = (typing.Union, types.UnionType)
_LIST = (list, tuple)
# Values that an annotation can speak of, and what each annotation takes.
_PLAIN = (type(None), bool, int, float, str, list, tuple, dict)
_TAKEN = {
    float: (float, int),
    int: (int, ),
    bool: (bool, ),
    str: (str, ),
    type(None): (type(None), ),
    dict: (dict, ),
    list: _LIST,
    tuple: _LIST,
    abc.Sequence: _LIST,
}
_ALSO_TAKEN = {
    float: (bool, ),
    int: (float, bool),
    bool: (int, ),
    dict: (list, tuple)
}
_NAMES = {
    float: 'a number',
    int: 'an integer',
    bool: 'True or False',
    str: 'a string',
    type(None): 'None',
    dict: 'a dict'
}

Wrong = Tuple[str, str, str]


class Signature(NamedTuple):
    """What a constructor takes, those of its base classes included.

    Args:
        hints (dict[str, Any]): Annotations of the arguments it names.
        needed (set[str]): Those without a default.
        is_closed (bool): Whether it takes no others.
    """

    hints: Dict[str, Any]
    needed: Set[str]
    is_closed: bool


def find_wrong_type(registry: Registry, config: dict,
                    field: str) -> Optional[Wrong]:
    """Look for the first argument whose type cannot be right.

    Asked are the annotations of the constructor, and those of the parts that
    the config holds. Only annotations of numbers, strings, booleans, None and
    lists of them can tell; a list is as good as a tuple. Those of other
    libraries are taken less strictly: there None goes everywhere, and
    numbers and booleans go for each other.

    Args:
        registry (Registry): Where the config's type is looked up.
        config (dict): Config of a part.
        field (str): Where it stands.

    Returns:
        tuple[str, str, str] | None: Field, problem and fix for a
        :class:`~mmpose_raf.errors.ConfigError`; None if all can be right.
    """
    built = class_of(registry, config)
    hints = signature_of(built).hints if built is not None else {}
    is_own = getattr(built, '__module__', '').startswith('mmpose_raf.')
    for name, value in config.items():
        place = f'{field}.{name}'
        hint = hints.get(name, Any)
        if name != 'type' and not _fits(value, hint, is_own):
            return place, f'got {value!r}', f'give {_describe(hint)}'
        wrong = _find_in(registry, value, place)
        if wrong:
            return wrong
    return None


def _find_in(registry: Registry, value: Any, place: str) -> Optional[Wrong]:
    if isinstance(value, dict):
        return find_wrong_type(registry, value, place)
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            wrong = _find_in(registry, item, f'{place}[{index}]')
            if wrong:
                return wrong
    return None


def class_of(registry: Registry, config: dict) -> Any:
    """What a config builds; None if its type does not say so beyond doubt."""
    kind = config.get('type')
    if not isinstance(kind, str):
        return kind if callable(kind) else None
    found = look_up(registry, kind)
    if found is not None:
        return found
    candidates = {
        look_up(other, kind)
        for other in _NESTED
    } - {None}
    return candidates.pop() if len(candidates) == 1 else None


def look_up(registry: Registry, kind: str) -> Any:
    """What a name stands for in the current scope; None if for nothing."""
    if not re.fullmatch(r'\w+(\.\w+)*', kind):  # MMEngine would import it
        return None
    with registry.switch_scope_and_registry(None) as current:
        return current.get(kind)


def signature_of(built: Any) -> Signature:
    """What a class or function takes.

    Base classes are asked, too, where it passes on what it does not name.
    """
    functions = [built]
    if inspect.isclass(built):
        functions = [
            vars(cls)['__init__'] for cls in built.__mro__[:-1]
            if inspect.isfunction(vars(cls).get('__init__'))
        ]
    hints: Dict[str, Any] = {}
    needed: Set[str] = set()
    for function in functions:
        try:
            own = typing.get_type_hints(function)
            parameters = inspect.signature(function).parameters
        except (NameError, TypeError, ValueError):  # it does not say
            return Signature(hints, set(), False)
        kinds = {parameter.kind for parameter in parameters.values()}
        has_self = function is not built
        for name, parameter in list(parameters.items())[has_self:]:
            if parameter.kind in _VARIABLE or name in hints:
                continue
            hint = own.get(name, Any)
            hints[name] = Optional[
                hint] if parameter.default is None else hint
            if parameter.default is parameter.empty:
                needed.add(name)
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            return Signature(hints, needed, True)
    # Either nothing takes arguments, or the last one takes any.
    return Signature(hints, needed if not functions else set(), not functions)


def _fits(value: Any, hint: Any, strict: bool) -> bool:
    """Whether a value can be meant by an annotation."""
    origin = typing.get_origin(hint) or hint
    if origin in _UNIONS:
        options = typing.get_args(hint)
        return any(_fits(value, option, strict)
                   for option in options) or not strict and _mixes(
                       value, options)
    if not isinstance(value, _PLAIN) or origin not in _TAKEN:
        return True
    if value is None and not strict:
        return True
    taken = _TAKEN[origin] + (() if strict else _ALSO_TAKEN.get(origin, ()))
    # Not isinstance alone: True is an int.
    if type(value) not in taken and (isinstance(value, bool)
                                     or not isinstance(value, taken)):
        return False
    if isinstance(value, (list, tuple)):
        return _items_fit(value, typing.get_args(hint), strict)
    return True


def _mixes(value: Any, options: Tuple[Any, ...]) -> bool:
    """Whether items of a list fit some of several lists.

    MMPose annotates lists of mixed items by Union[List[...], List[...]].
    """
    lists = [
        option for option in options
        if _TAKEN.get(typing.get_origin(option)) == _LIST
    ]
    return bool(lists) and isinstance(value, _LIST) and all(
        any(_fits([item], option, False) for option in lists)
        for item in value)


def _items_fit(values: Any, hints: Tuple[Any, ...], strict: bool) -> bool:
    hints = tuple(hint for hint in hints if hint is not Ellipsis)
    if len(hints) > 1:  # Tuple[int, str]
        return len(hints) == len(values) and all(
            _fits(value, hint, strict) for value, hint in zip(values, hints))
    return all(
        _fits(value, hint, strict) for value in values for hint in hints)


def _describe(hint: Any) -> str:
    """An annotation in words."""
    origin = typing.get_origin(hint) or hint
    if origin in _UNIONS:
        return ' or '.join(map(_describe, typing.get_args(hint)))
    if _TAKEN.get(origin) == _LIST:
        items = [x for x in typing.get_args(hint) if x is not Ellipsis]
        return f'a list ({", ".join(map(_describe, items))})'
    return _NAMES.get(origin, getattr(hint, '__name__', str(hint)))
