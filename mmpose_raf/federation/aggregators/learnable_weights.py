"""Aggregation by weights that the server learns."""

from typing import Dict, List, Sequence

import torch
from torch import Tensor

from ..messages import ClientUpdate
from ..state_math import State, average_states, dot_states
from ..arguments import check_count, check_positive
from .proxy_guided import ProxyGuided
from .weighted_average import WeightedAverage, normalize


class LearnableWeights(ProxyGuided, WeightedAverage):
    """FedLAW (Li et al., ICML 2023, arXiv 2302.10911).

    w_{t+1} = gamma sum_k lambda_k w_k with lambda = softmax(x) and gamma =
    exp(y). In every round x starts at the logarithm of the clients' shares of
    samples and y at 0, and Adam (betas 0.5 and 0.999) tunes both on the proxy
    loss L.

    gamma shrinks the parameters, as weight decay does. Buffers are averaged
    with lambda alone: a shrunken running variance of BatchNorm would enlarge
    the features instead. The gradient takes them for constants.

    The mix is linear in the weights, so the gradient g of L at the mixed
    parameters is enough: dL/dlambda_k = gamma <g, w_k> and dL/dgamma =
    sum_k lambda_k <g, w_k>. Beside the mix that takes the memory of one
    gradient, however many clients there are.

    Args:
        proxy_samples (int): Training samples that the server keeps for the
            proxy loss, >= 1.
        server_lr (float): Learning rate of Adam, > 0. Defaults to 0.005, as
            in the authors' code.
        steps (int): Steps of Adam in each round, >= 1, each with one gradient
            on the whole proxy set. A step changes x and y by about
            ``server_lr``. Defaults to 100; the authors run 20 epochs of
            batches.

    Attributes:
        gamma (float): gamma of the last round.
        weights (dict[str, float]): lambda_k of the last round by client.
    """

    def __init__(self,
                 proxy_samples: int,
                 server_lr: float = 0.005,
                 steps: int = 100):
        super().__init__(proxy_samples)
        check_positive(server_lr, 'server_lr')
        check_count(steps, 'steps')
        self.server_lr = server_lr
        self.steps = steps
        self.gamma = 1.

    def weigh(self, global_state: Dict[str, Tensor],
              updates: Sequence[ClientUpdate]) -> List[Dict[str, float]]:
        """Weights gamma lambda_k of parameters, lambda_k of buffers."""
        states = [update.state for update in updates]
        names = updates[0].parameter_names
        shares = torch.tensor(
            normalize([update.num_samples for update in updates]),
            dtype=torch.float64)
        x = shares.log().requires_grad_()
        y = torch.zeros((), dtype=torch.float64, requires_grad=True)
        adam = torch.optim.Adam([x, y], lr=self.server_lr, betas=(0.5, 0.999))
        for _ in range(self.steps):
            adam.zero_grad()
            self.linearize(x, y, states, names).backward()
            adam.step()
        self.gamma = y.exp().item()
        weights = x.softmax(0).tolist()
        self.weights = {
            update.client: weight
            for update, weight in zip(updates, weights)
        }
        return _by_entry(weights, self.gamma, states[0], names)

    @torch.enable_grad()
    def linearize(self, x: Tensor, y: Tensor, states: Sequence[State],
                  names: Sequence[str]) -> Tensor:
        """A scalar of which x and y get the gradient of the proxy loss.

        Args:
            x (Tensor): Logits of lambda, in shape (N, ).
            y (Tensor): Logarithm of gamma, in shape ().
            states (list[dict[str, Tensor]]): The clients' w_k.
            names (list[str]): The parameters among their entries.

        Returns:
            Tensor: gamma sum_k lambda_k <g, w_k> with g held fixed.
        """
        weights, gamma = x.softmax(0), y.exp()
        mixed = average_states(
            states,
            _by_entry(weights.tolist(), gamma.item(), states[0], names))
        gradient = self.proxy_gradient(mixed, names)
        slopes = [dot_states(gradient, state) for state in states]
        return gamma * (weights @ weights.new_tensor(slopes))


def _by_entry(weights: Sequence[float], gamma: float, state: State,
              names: Sequence[str]) -> List[Dict[str, float]]:
    """Weights of the entries: gamma scales the parameters only."""
    factors = {**dict.fromkeys(state, 1.), **dict.fromkeys(names, gamma)}
    return [{
        key: weight * factor
        for key, factor in factors.items()
    } for weight in weights]
