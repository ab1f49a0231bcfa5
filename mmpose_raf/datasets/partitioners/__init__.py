"""Which client holds which samples of the one training dataset."""

from .base import BasePartitioner
from .dirichlet import DirichletPartitioner
from .native_resolution import NativeResolutionPartitioner, native_heights
from .partition import describe_partition, partition_fingerprint
from .random import RandomPartitioner

__all__ = [
    'BasePartitioner', 'DirichletPartitioner', 'NativeResolutionPartitioner',
    'RandomPartitioner', 'describe_partition', 'native_heights',
    'partition_fingerprint'
]
