"""Aggregators."""

from .adaptive import FedAdagrad, FedAdam, FedYogi
from .base import Aggregator
from .fedavg import FedAvg
from .fedavgm import FedAvgM
from .robust import (CoordinateMedian, Krum, MultiKrum, NormClipping,
                     TrimmedMean)

__all__ = [
    'Aggregator', 'CoordinateMedian', 'FedAdagrad', 'FedAdam', 'FedAvg',
    'FedAvgM', 'FedYogi', 'Krum', 'MultiKrum', 'NormClipping', 'TrimmedMean'
]
