"""FedProx."""

from ..arguments import check_not_negative
from ..state_math import State, displacements, scale_state
from .base import LocalObjective, TrainingStart


class FedProx(LocalObjective):
    """FedProx (Li et al., MLSys 2020): mu/2 ||w - w_t||^2 beside the loss.

    Its gradient is +mu (w - w_t): it pulls the client back to where it
    started.

    Args:
        mu (float): Strength of the pull, >= 0.
    """

    takes_submodels = True

    def __init__(self, mu: float):
        super().__init__()
        check_not_negative(mu, 'mu')
        self.mu = mu

    def gradient(self, parameters: State, start: TrainingStart) -> State:
        """mu (w - w_t), see :class:`LocalObjective`."""
        way, = displacements([parameters], start.anchor, list(parameters))
        return scale_state(way, self.mu)
