"""Local objectives."""

from .base import LocalObjective, TrainingStart
from .feature_alignment import FeatureAlignment
from .feddyn import FedDyn
from .fedprox import FedProx
from .fresh_model import FreshModel
from .moon import MOON
from .pgfed import PGFed
from .scaffold import SCAFFOLD

__all__ = [
    'MOON', 'SCAFFOLD', 'FeatureAlignment', 'FedDyn', 'FedProx',
    'FreshModel', 'LocalObjective', 'PGFed', 'TrainingStart'
]
