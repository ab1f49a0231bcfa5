"""Data: who holds what, and the batches of one client after the other."""

from . import partitioners
from .synthetic_people import SyntheticPoseDataset

__all__ = ['SyntheticPoseDataset', 'partitioners']
