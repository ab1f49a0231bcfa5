"""Data: who holds what, and the batches of one client after the other."""

from . import partitioners
from .captured_topdown_affine import CapturedTopdownAffine
from .synthetic_people import SyntheticPoseDataset

__all__ = ['CapturedTopdownAffine', 'SyntheticPoseDataset', 'partitioners']
