"""Federated algorithms on state dicts: torch only, usable on their own."""

from .aggregators import (Aggregator, CoordinateMedian, FedAdagrad, FedAdam,
                          FedAvg, FedAvgM, FedYogi, Krum, MultiKrum,
                          NormClipping, TrimmedMean)
from .client_state import ClientState
from .client_update import ClientUpdate

__all__ = [
    'Aggregator', 'ClientState', 'ClientUpdate', 'CoordinateMedian', 'FedAdagrad',
    'FedAdam', 'FedAvg', 'FedAvgM', 'FedYogi', 'Krum', 'MultiKrum', 'NormClipping',
    'TrimmedMean'
]
