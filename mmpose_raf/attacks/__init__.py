"""What hostile clients do, to see what a federation bears."""

from .a_little_is_enough import ALittleIsEnough
from .backdoor import BackdoorPatch
from .base import SampleAttack, UpdateAttack
from .building import build_attacks, insert_after_crop
from .labels import MoveKeypoints, SwapKeypoints
from .pgd import PGD
from .updates import RandomUpdate, ScaleUpdate, SignFlip

__all__ = [
    'ALittleIsEnough', 'BackdoorPatch', 'MoveKeypoints', 'PGD',
    'RandomUpdate', 'SampleAttack', 'ScaleUpdate', 'SignFlip',
    'SwapKeypoints', 'UpdateAttack', 'build_attacks', 'insert_after_crop'
]
