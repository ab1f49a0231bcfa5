"""Aggregators."""

from .base import Aggregator
from .fedavg import FedAvg

__all__ = ['Aggregator', 'FedAvg']
