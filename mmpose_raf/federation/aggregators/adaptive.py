"""Adaptive server optimizers."""

from abc import abstractmethod

import torch
from torch import Tensor

from ..arguments import check_decay, check_positive
from ..state_math import State, map_states
from .server_optimizer import ServerOptimizer


class AdaptiveServerOptimizer(ServerOptimizer):
    """Algorithm 2 of FedOpt (Reddi et al., ICLR 2021), without bias
    correction, as there: m = beta1 m + (1 - beta1) Delta, v by the subclass,
    and w += lr m / (sqrt(v) + tau).

    Two moments of the model's size are kept on the server; m starts at 0 and
    v at tau^2.

    Args:
        server_lr (float): Step length eta, > 0. Defaults to 0.01.
        beta1 (float): Decay of the first moment, in [0, 1). Defaults to 0.9.
        tau (float): Degree of adaptivity, > 0. Defaults to 0.001.
        weighting (str): See :class:`FedAvg`. Defaults to ``'uniform'``.
    """

    def __init__(self,
                 server_lr: float = 0.01,
                 beta1: float = 0.9,
                 tau: float = 1e-3,
                 weighting: str = 'uniform'):
        super().__init__(server_lr, weighting)
        check_decay(beta1, 'beta1')
        check_positive(tau, 'tau')
        self.beta1, self.tau = beta1, tau

    def step(self, delta: State) -> State:
        """m / (sqrt(v) + tau)."""
        if not self.moments:
            self.moments = dict(
                first=map_states(torch.zeros_like, delta),
                second=map_states(
                    lambda d: torch.full_like(d, self.tau**2), delta))
        first = map_states(lambda m, d: m.lerp(d, 1 - self.beta1),
                           self.moments['first'], delta)
        second = map_states(self.second_moment, self.moments['second'],
                            map_states(torch.square, delta))
        self.moments = dict(first=first, second=second)
        return map_states(lambda m, v: m / (v.sqrt() + self.tau), first,
                          second)

    @abstractmethod
    def second_moment(self, second: Tensor, square: Tensor) -> Tensor:
        """Next v from v and Delta^2."""


class FedAdagrad(AdaptiveServerOptimizer):
    """v = v + Delta^2, see :class:`AdaptiveServerOptimizer`."""

    def second_moment(self, second: Tensor, square: Tensor) -> Tensor:
        """See the class."""
        return second + square


class _DecayingSecondMoment(AdaptiveServerOptimizer):
    """FedAdam and FedYogi.

    Args:
        server_lr (float): See :class:`AdaptiveServerOptimizer`.
        beta1 (float): See :class:`AdaptiveServerOptimizer`.
        beta2 (float): Decay of the second moment, in [0, 1). Defaults to
            0.99.
        tau (float): See :class:`AdaptiveServerOptimizer`.
        weighting (str): See :class:`AdaptiveServerOptimizer`.
    """

    def __init__(self,
                 server_lr: float = 0.01,
                 beta1: float = 0.9,
                 beta2: float = 0.99,
                 tau: float = 1e-3,
                 weighting: str = 'uniform'):
        super().__init__(server_lr, beta1, tau, weighting)
        check_decay(beta2, 'beta2')
        self.beta2 = beta2


class FedAdam(_DecayingSecondMoment):
    """v = beta2 v + (1 - beta2) Delta^2; arguments as in
    :class:`AdaptiveServerOptimizer`, and beta2, in [0, 1), 0.99 by
    default."""

    def second_moment(self, second: Tensor, square: Tensor) -> Tensor:
        """See the class."""
        return second.lerp(square, 1 - self.beta2)


class FedYogi(_DecayingSecondMoment):
    """v = v - (1 - beta2) Delta^2 sign(v - Delta^2); arguments as in
    :class:`FedAdam`."""

    def second_moment(self, second: Tensor, square: Tensor) -> Tensor:
        """See the class."""
        return second - (1 - self.beta2) * square * (second - square).sign()
