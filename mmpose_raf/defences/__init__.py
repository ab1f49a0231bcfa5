"""What honest clients do against attacks while they train."""

from .adversarial_training import AdversarialTraining
from .base import LocalDefence
from .trigger_inversion import TriggerInversion

__all__ = ['AdversarialTraining', 'LocalDefence', 'TriggerInversion']
