"""Federated algorithms on state dicts: torch only, usable on their own."""

from .aggregators import (Aggregator, CoordinateMedian, FedAdagrad, FedAdam,
                          FedAvg, FedAvgM, FedYogi, Krum, MultiKrum,
                          NormClipping, TrimmedMean)
from .client_state import ClientState
from .client_update import ClientUpdate, is_finite
from .objectives import SCAFFOLD, FedDyn, FedProx, LocalObjective

__all__ = [
    'Aggregator', 'ClientState', 'ClientUpdate', 'CoordinateMedian',
    'FedAdagrad', 'FedAdam', 'FedAvg', 'FedAvgM', 'FedDyn', 'FedProx',
    'FedYogi', 'Krum', 'LocalObjective', 'MultiKrum', 'NormClipping',
    'SCAFFOLD', 'TrimmedMean', 'is_finite'
]
