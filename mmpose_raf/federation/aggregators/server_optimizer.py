"""What all server optimizers share."""

from abc import abstractmethod
from typing import Dict, Sequence

from torch import Tensor

from ..messages import ClientUpdate
from ..state_math import State, add_states, displacements
from ..arguments import check_positive
from .fedavg import FedAvg


class ServerOptimizer(FedAvg):
    """Takes the mean of the updates for a gradient and steps along it.

    FedOpt (Reddi et al., ICLR 2021): with the pseudo-gradient Delta = sum_i
    p_i (w_i - w_t) the server makes a step of its own, w_{t+1} = w_t +
    server_lr step(Delta). Buffers, such as BatchNorm's statistics, are
    averaged as in :class:`FedAvg`.

    Args:
        server_lr (float): Step length, > 0.
        weighting (str): See :class:`FedAvg`. Defaults to ``'uniform'``.
    """

    def __init__(self, server_lr: float, weighting: str = 'uniform'):
        super().__init__(weighting)
        check_positive(server_lr, 'server_lr')
        self.server_lr = server_lr
        self.moments: Dict[str, State] = {}

    def aggregate(self, global_state: Dict[str, Tensor],
                  updates: Sequence[ClientUpdate]) -> Dict[str, Tensor]:
        """Step along the mean update, see :class:`Aggregator`."""
        mean = super().aggregate(global_state, updates)
        delta, = displacements([mean], global_state,
                               updates[0].parameter_names)
        stepped = add_states(
            global_state, self.step(delta), scale=self.server_lr)
        return {
            key: stepped[key] if key in delta else mean[key]
            for key in global_state
        }

    @abstractmethod
    def step(self, delta: State) -> State:
        """Direction of the step; keeps ``self.moments``.

        Args:
            delta (dict[str, Tensor]): Pseudo-gradient of the parameters.
        """

    def state_dict(self) -> dict:
        """The moments."""
        return dict(moments=self.moments)

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
        self.moments = state_dict['moments']
