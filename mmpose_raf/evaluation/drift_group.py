"""Results that belong together: runs that differ in nothing but the seed."""

import re
import statistics
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Set, Tuple

from mmpose_raf.errors import ConfigError
from mmpose_raf.sizes import Size
from .drift_result import DriftResult

SEED = re.compile(r'-seed(\d+)$')
# Metrics of the same heatmaps differ by less between two machines.
SAME_CEILING = 1e-6


def split_seed(name: str) -> Tuple[str, str]:
    """Name of a run without its suffix ``-seed<digits>``, and the digits."""
    found = SEED.search(name)
    return (name[:found.start()], found[1]) if found else (name, '')


def spread_of(values: Sequence[float]) -> Optional[float]:
    """Sample standard deviation; None for a single value."""
    return statistics.stdev(values) if len(values) > 1 else None


@dataclass
class DriftGroup:
    """Runs that differ in nothing but the seed.

    Args:
        name (str): Name of the runs without their seeds.
        results (list[DriftResult]): What each of them gave, at least one.
    """

    name: str
    results: List[DriftResult]

    @property
    def trained_sizes(self) -> Set[Size]:
        """set[tuple[int, int]]: Sizes (w, h) of the training."""
        return set(self.results[0].trained_sizes)

    @property
    def accuracy(self) -> Dict[Size, List[float]]:
        """dict: The key metric of each run by input size (w, h), in the
        order of :func:`size_order`."""
        return _collect([result.accuracy for result in self.results],
                        size_order)

    @property
    def mean(self) -> Dict[Size, float]:
        """dict: Mean of the key metric by input size (w, h)."""
        return {
            size: statistics.fmean(values)
            for size, values in self.accuracy.items()
        }

    @property
    def spread(self) -> Dict[Size, Optional[float]]:
        """dict: Sample standard deviation of the key metric by input size
        (w, h); None where there is one run."""
        return {
            size: spread_of(values)
            for size, values in self.accuracy.items()
        }

    @property
    def summary(self) -> Dict[str, List[float]]:
        """dict: Each run's value by the keys of ``DriftResult.summary``."""
        return _collect([result.summary for result in self.results])


def size_order(size: Size) -> Tuple[int, int]:
    """Sort key of sizes (w, h): the height, then the width."""
    return size[1], size[0]


def group_by_name(results: Sequence[DriftResult]) -> List[DriftGroup]:
    """Group runs whose names differ in a suffix ``-seed<digits>`` only.

    Args:
        results (list[DriftResult]): What the runs gave.

    Returns:
        list[DriftGroup]: The groups, in the order of their first runs.

    Raises:
        ConfigError: If the runs of a group were trained at different sizes.
    """
    members: Dict[str, List[DriftResult]] = {}
    for result in results:
        members.setdefault(split_seed(result.name)[0], []).append(result)
    for name, group in members.items():
        if len({frozenset(result.trained_sizes) for result in group}) > 1:
            raise ConfigError(name,
                              'its seeds were trained at different sizes',
                              'give different settings different names')
    return [DriftGroup(name, group) for name, group in members.items()]


def list_ceilings(
        groups: Sequence[DriftGroup]) -> Dict[str, Dict[Size, float]]:
    """List what perfect models would reach, each ceiling once.

    Runs of the same decoder have the same ceiling.

    Args:
        groups (list[DriftGroup]): The runs.

    Returns:
        dict: Ceiling of the key metric by input size (w, h), under a name
        for people; empty if no run has one.
    """
    found: Dict[str, Dict[Size, float]] = {}
    for group in groups:
        for result in group.results:
            ceiling = {
                view.view.input_size: view.ceiling[result.key_metric]
                for view in result.plain_views if view.ceiling
            }
            known = next((other for other in found.values()
                          if _is_same(ceiling, other)), None)
            if known is not None:
                known.update(ceiling)
            elif ceiling:
                found[result.name] = ceiling
    if len(found) == 1:
        return {
            'ceiling of the decoder': ceiling
            for ceiling in found.values()
        }
    return {f'ceiling of {name}': ceiling for name, ceiling in found.items()}


def _is_same(ceiling: Dict[Size, float], other: Dict[Size, float]) -> bool:
    common = set(ceiling) & set(other)
    return bool(common) and all(
        abs(ceiling[size] - other[size]) < SAME_CEILING for size in common)


def check_comparable(results: Sequence[DriftResult]):
    """Refuse results that do not belong into one table.

    Args:
        results (list[DriftResult]): What the runs gave.

    Raises:
        ConfigError: If there are none, if two have the same name, or if they
            are of different datasets, persons or key metrics.
    """
    if not results:
        raise ConfigError('results', 'there are none', 'give at least one')
    names = [result.name for result in results]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ConfigError('names', f'two results are named {name!r}',
                              'give every result its own name')
    for field, kind in (('dataset', 'datasets'), ('fingerprint', 'persons'),
                        ('key_metric', 'key metrics')):
        values = [getattr(result, field) for result in results]
        for name, value in zip(names, values):
            if value != values[0]:
                raise ConfigError(
                    field, f'{names[0]!r} and {name!r} are of different '
                    f'{kind}, {values[0]!r} and {value!r}',
                    'compare results of the same evaluation')


def _collect(trees, order=None) -> dict:
    keys = {key: None for tree in trees for key in tree}
    return {
        key: [tree[key] for tree in trees if key in tree]
        for key in (sorted(keys, key=order) if order else keys)
    }
