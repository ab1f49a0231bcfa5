"""Federated algorithms on state dicts: torch only, usable on their own."""

from .aggregators import Aggregator, FedAvg
from .client_state import ClientState
from .client_update import ClientUpdate

__all__ = ['Aggregator', 'ClientState', 'ClientUpdate', 'FedAvg']
