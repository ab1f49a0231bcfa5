"""Classes and modules that can be imported, and refuse to be used."""

from types import ModuleType
from typing import Any


def placeholder(name: str, problem: str) -> type:
    """A class that may be imported and inherited from, but not called.

    It stands for functions too: they are called, as classes are.

    Args:
        name (str): Its full name, e.g. ``mmcv.ops.nms``.
        problem (str): Why it refuses, and what to do about it.
    """

    def refuse(cls, *args, **kwargs):
        raise ImportError(f'{name} {problem}')

    module, _, short = name.rpartition('.')
    # A plain class, so that it goes with other bases and their metaclasses.
    return type(short, (), dict(__new__=refuse, __module__=module))


class PlaceholderModule(ModuleType):
    """A module that imports, and refuses what is asked of it.

    Args:
        name (str): Its name.
        problem (str): Why it refuses, and what to do about it.
    """

    def __init__(self, name: str, problem: str):
        super().__init__(name)
        self._problem = problem

    def __getattr__(self, name: str) -> Any:
        if name.startswith('_'):
            raise AttributeError(
                f'module {self.__name__!r} has no attribute {name!r}')
        return self._find(name)
