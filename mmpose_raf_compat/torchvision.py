"""``torchvision`` missing or broken: MMPose imports all the same."""

import contextlib
import sys
from importlib.util import find_spec
from typing import Iterator

from .finders import Fallback, WhileImporting
from .placeholders import PlaceholderModule, placeholder

# The only module that needs it in order to be imported.
_USER = 'mmpose.visualization.simcc_vis'
_NEEDED = ('torchvision', 'torchvision.transforms')


def close() -> None:
    """Let a placeholder serve where torchvision does not import.

    Where it is missing, only MMPose sees the placeholder: other libraries
    have found out by then, or will, that they have to do without.
    """
    Fallback('torchvision', _create, is_for_missing=False).install()
    WhileImporting(_USER, _placeholder_if_missing).install()


@contextlib.contextmanager
def _placeholder_if_missing() -> Iterator[None]:
    if 'torchvision' in sys.modules or find_spec('torchvision') is not None:
        yield
        return
    failure = ModuleNotFoundError("No module named 'torchvision'",
                                  name='torchvision')
    sys.modules.update({name: _create(name, failure) for name in _NEEDED})
    try:
        yield
    finally:
        for name in _NEEDED:
            del sys.modules[name]


class _Torchvision(PlaceholderModule):
    """``torchvision`` or a module below it: no name is there.

    A library that tries ``from torchvision.ops import nms`` shall find that
    it has to do without.
    """

    def _find(self, name: str) -> None:
        raise ImportError(f'{self.__name__}.{name} {self._problem}')


def _create(name: str, failure: Exception) -> _Torchvision:
    version, problem = _describe(failure)
    module = _Torchvision(name, problem)
    if name == 'torchvision':
        module.__version__ = version  # MMEngine logs it
    elif name == 'torchvision.transforms':
        module.ToPILImage = placeholder(f'{name}.ToPILImage', problem)
    else:
        raise ModuleNotFoundError(f'{name} {problem}', name=name)
    return module


def _describe(failure: Exception) -> tuple:
    """Version to show, and what to do."""
    import torch
    # Naming the installed torch makes pip choose the torchvision for it.
    install = (f'pip install torch=={torch.__version__.partition("+")[0]} '
               'torchvision')
    if (isinstance(failure, ModuleNotFoundError)
            and failure.name == 'torchvision'):
        return ('0.0.0+missing', 'needs torchvision, which is not installed; '
                f'to install it: {install}')
    return ('0.0.0+broken', 'needs torchvision, which fails to import '
            f'({type(failure).__name__}: {failure}); to mend it: '
            f'pip uninstall -y torchvision && {install}')
