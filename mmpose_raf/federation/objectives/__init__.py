"""Local objectives."""

from .base import LocalObjective
from .feddyn import FedDyn
from .fedprox import FedProx
from .scaffold import SCAFFOLD

__all__ = ['SCAFFOLD', 'FedDyn', 'FedProx', 'LocalObjective']
