"""What honest clients do against attacks while they train."""

from .adversarial_training import AdversarialTraining
from .base import LocalDefence

__all__ = ['AdversarialTraining', 'LocalDefence']
