"""``pkg_resources``, gone in setuptools 82: what MMEngine needs of it."""

import importlib.metadata
import warnings
from types import ModuleType

from .finders import Fallback


def close() -> None:
    """Let a module of a few lines serve where there is no pkg_resources."""
    Fallback('pkg_resources', _create).install()
    # MMEngine's users can do nothing about it.
    warnings.filterwarnings('ignore', 'pkg_resources is deprecated')


class DistributionNotFound(Exception):
    """The distribution is not installed."""


class _Distribution:
    """What :mod:`mmengine.utils.package_utils` asks of a distribution."""

    def __init__(self, distribution: importlib.metadata.Distribution):
        self._distribution = distribution

    @property
    def location(self) -> str:
        return str(self._distribution.locate_file(''))

    def has_metadata(self, name: str) -> bool:
        return self._distribution.read_text(name) is not None

    def get_metadata(self, name: str) -> str:
        return self._distribution.read_text(name)


def _get_distribution(name: str) -> _Distribution:
    try:
        return _Distribution(importlib.metadata.distribution(name))
    except importlib.metadata.PackageNotFoundError:
        raise DistributionNotFound(
            f'The {name!r} distribution was not found') from None


def _create(name: str, failure: Exception) -> ModuleType:
    if name != 'pkg_resources':
        raise ModuleNotFoundError(f'No module named {name!r}', name=name)
    module = ModuleType(name)
    module.DistributionNotFound = DistributionNotFound
    module.get_distribution = _get_distribution
    return module
