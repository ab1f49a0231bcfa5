"""Federated averaging with server momentum."""

from ..arguments import check_decay
from ..state_math import State, add_states
from .server_optimizer import ServerOptimizer


class FedAvgM(ServerOptimizer):
    """FedAvgM (Hsu et al., arXiv 1909.06335): m = beta m + Delta, w += lr m.

    One moment of the model's size is kept on the server.

    Args:
        momentum (float): beta, in [0, 1). Defaults to 0.9.
        server_lr (float): Step length, > 0. Defaults to 1.
        weighting (str): See :class:`FedAvg`. Defaults to ``'uniform'``.
    """

    def __init__(self,
                 momentum: float = 0.9,
                 server_lr: float = 1.,
                 weighting: str = 'uniform'):
        super().__init__(server_lr, weighting)
        check_decay(momentum, 'momentum')
        self.momentum = momentum

    def step(self, delta: State) -> State:
        """m = beta m + Delta."""
        if self.moments:
            delta = add_states(delta, self.moments['first'], self.momentum)
        self.moments = dict(first=delta)
        return delta
