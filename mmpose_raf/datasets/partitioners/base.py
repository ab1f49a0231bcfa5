"""What all partitioners share: the contract, the counts and the cuts."""

import copy
from abc import ABCMeta, abstractmethod
from typing import Any, List, Optional, Sequence, Union

import numpy as np

from mmpose_raf.errors import ConfigError
from .annotations import check_dataset

# One number for all clients, or one for each.
SampleCounts = Union[int, Sequence[int]]


class BasePartitioner(metaclass=ABCMeta):
    """Base class of what decides which client holds which samples.

    Subclasses implement :meth:`assign`.

    Args:
        samples_per_client (int | Sequence[int], optional): How many samples
            each client gets, one number for all or one for each in the
            order of the clients. Defaults to None, i.e. as many as the
            partitioner's rule gives.
    """

    def __init__(self,
                 *,
                 samples_per_client: Optional[SampleCounts] = None) -> None:
        counts = samples_per_client
        if isinstance(counts, Sequence) and not isinstance(counts, str):
            is_valid = len(counts) > 0 and all(map(_is_count, counts))
        else:
            is_valid = counts is None or _is_count(counts)
        if not is_valid:
            raise self.error(
                'samples_per_client', f'got {counts!r}',
                'set an int > 0, a list of one such int per client, or None')
        self.samples_per_client = counts

    def partition(self, dataset: Any, clients: Sequence[Any],
                  seed: int) -> List[np.ndarray]:
        """Share out the samples of a dataset among the clients.

        The result depends on the arguments alone, not on the state of any
        global random number generator, so every process of a run and every
        resume finds the same one.

        Args:
            dataset (BaseDataset): The whole training dataset, of one
                instance a sample (``data_mode='topdown'``).
            clients (Sequence): The clients, with the attributes ``name``
                (str) and ``input_size`` (tuple of w and h in pixels).
            seed (int): Seed of all random draws, >= 0.

        Returns:
            list[np.ndarray]: For each client the int64 indices into
            ``dataset`` that it holds, ascending. No index occurs twice. An
            array is empty if the rule leaves nothing for its client.

        Raises:
            ConfigError: If the arguments, or those of the partitioner, do
                not fit the dataset or the clients.
        """
        if len(clients) == 0:
            raise ConfigError('clients', 'there are none',
                              'list at least one client')
        if not _is_int(seed) or seed < 0:
            raise ConfigError('seed', f'got {seed!r}', 'set an int >= 0')
        check_dataset(dataset)
        assigned = self.assign(dataset, clients, np.random.default_rng(seed))
        return [np.sort(own).astype(np.int64) for own in assigned]

    def for_held_out(self) -> 'BasePartitioner':
        """The same rule for held-out data, of which there is less.

        Returns:
            BasePartitioner: A copy without ``samples_per_client``.
        """
        held_out = copy.copy(self)
        held_out.samples_per_client = None
        return held_out

    @abstractmethod
    def assign(self, dataset: Any, clients: Sequence[Any],
               rng: np.random.Generator) -> List[np.ndarray]:
        """Apply the partitioner's rule.

        Args:
            dataset (BaseDataset): The whole training dataset, not empty.
            clients (Sequence): The clients, at least one.
            rng (np.random.Generator): Source of all random draws.

        Returns:
            list[np.ndarray]: For each client the indices it holds, disjoint
            and in any order.
        """

    def requested_counts(self, clients: Sequence[Any]) -> Optional[List[int]]:
        """Get ``samples_per_client`` as one count for each client.

        Args:
            clients (Sequence): The clients.

        Returns:
            list[int] | None: The counts, or None if none were requested.

        Raises:
            ConfigError: If their number is not that of the clients.
        """
        counts = self.samples_per_client
        if counts is None:
            return None
        if _is_int(counts):
            return [int(counts)] * len(clients)
        if len(counts) != len(clients):
            raise self.error(
                'samples_per_client',
                f'it has {len(counts)} numbers for {len(clients)} clients',
                'set one number for each client, or one int for all')
        return [int(count) for count in counts]

    def error(self, argument: str, problem: str, fix: str) -> ConfigError:
        """Make the error of one of this partitioner's arguments."""
        return ConfigError(f'{type(self).__name__}.{argument}', problem, fix)


def cut(order: np.ndarray, counts: Sequence[int]) -> List[np.ndarray]:
    """Cut shuffled indices into consecutive pieces; leave out the rest.

    Args:
        order (np.ndarray): Shuffled indices in shape (N, ).
        counts (Sequence[int]): Length of each piece, at most N in all.

    Returns:
        list[np.ndarray]: One piece for each count.
    """
    return np.split(order, np.cumsum(counts))[:len(counts)]


def even_counts(total: int, parts: int) -> List[int]:
    """Divide a number into parts that differ by at most one.

    Args:
        total (int): The number.
        parts (int): The number of parts.

    Returns:
        list[int]: The parts, the larger ones first. Their sum is ``total``.
    """
    quotient, remainder = divmod(total, parts)
    return [quotient + (part < remainder) for part in range(parts)]


def _is_int(value: Any) -> bool:
    """Whether a value is an integer; True and False are not."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    """Whether a value is an integer > 0."""
    return _is_int(value) and value > 0
