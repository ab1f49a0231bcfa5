"""``pkgutil.find_loader``, gone in Python 3.14, for MMEngine and MMCV."""

import importlib.util
from types import ModuleType, SimpleNamespace
from typing import Any, Optional

from .finders import AfterImport


def close() -> None:
    """Give the function to the modules that call it."""
    # Both look for mmcv's compiled operators with it, and for nothing else.
    for name in ('mmengine.utils.dl_utils.misc', 'mmcv.utils.ext_loader'):
        AfterImport(name, _give_find_loader).install()


def _give_find_loader(module: ModuleType) -> None:
    if not hasattr(module.pkgutil, 'find_loader'):
        module.pkgutil = SimpleNamespace(find_loader=_find_loader)


def _find_loader(name: str) -> Optional[Any]:
    spec = importlib.util.find_spec(name)
    return None if spec is None else spec.loader
