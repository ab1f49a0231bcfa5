"""Aggregation by the angle of each layer."""

from typing import Dict, List, Sequence

from torch import Tensor

from ..messages import ClientUpdate
from ..state_math import cosines_by_entry
from .weighted_average import WeightedAverage, normalize


class LayerwiseDivergenceAware(WeightedAverage):
    """L-DAWA (Rehman et al., ICCV 2023, arXiv 2307.07393).

    Each layer l, an entry of the parameters, has weights of its own: the
    cosine of the angle between the client's and the global one,

        delta_k^l = max(0, <w^l, w_k^l> / (||w^l|| ||w_k^l||)),
        w_{t+1}^l = sum_k delta_k^l w_k^l / sum_k delta_k^l.

    The division by the sum is our choice: without it every round would
    shorten the weights, as cosines are below 1. A layer without a direction,
    all zero at the client, counts as orthogonal; if all delta_k^l are 0, as
    in a layer whose global weights are initialised by 0, the mean is uniform.
    So it is for buffers, whose angles mean nothing.
    """

    def weigh(self, global_state: Dict[str, Tensor],
              updates: Sequence[ClientUpdate]) -> List[Dict[str, float]]:
        """Weights of each entry."""
        states = [update.state for update in updates]
        names = updates[0].parameter_names
        cosines = cosines_by_entry(global_state, states, names)
        uniform = dict.fromkeys(states[0], 1 / len(states))
        layers = [
            normalize([max(0., cosine[name]) for cosine in cosines])
            for name in names
        ]
        return [{
            **uniform,
            **dict(zip(names, weights))
        } for weights in zip(*layers)]
