"""Local objectives."""

from .base import LocalObjective, TrainingStart
from .feddyn import FedDyn
from .fedprox import FedProx
from .moon import MOON
from .scaffold import SCAFFOLD

__all__ = [
    'MOON', 'SCAFFOLD', 'FedDyn', 'FedProx', 'LocalObjective', 'TrainingStart'
]
