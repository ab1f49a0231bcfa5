"""What all aggregators share that judge weights on the server's samples."""

from typing import Dict, Sequence

import torch
from torch import Tensor

from ..arguments import check_count
from ..errors import FederationError
from ..state_math import State
from .base import Aggregator


class ProxyGuided(Aggregator):
    """Asks ``proxy_loss``, the loss on samples that the server holds.

    Args:
        proxy_samples (int): How many training samples the server keeps for
            itself, >= 1.
    """

    def __init__(self, proxy_samples: int):
        check_count(proxy_samples, 'proxy_samples')
        self.proxy_samples = proxy_samples

    def measure(self, state: Dict[str, Tensor]) -> float:
        """Proxy loss of weights (and buffers)."""
        with torch.no_grad():
            return self._loss(state).item()

    def proxy_gradient(self, state: Dict[str, Tensor],
                       names: Sequence[str]) -> State:
        """Gradient of the proxy loss.

        Args:
            state (dict[str, Tensor]): Weights and buffers.
            names (list[str]): The entries that it is taken with respect to.

        Returns:
            dict[str, Tensor]: The gradient of each, 0 where the loss does not
            depend on it.
        """
        leaves = {
            name: state[name].detach().requires_grad_()
            for name in names
        }
        with torch.enable_grad():
            loss = self._loss({**state, **leaves})
            gradient = torch.autograd.grad(
                loss, list(leaves.values()), materialize_grads=True)
        return dict(zip(leaves, gradient))

    def _loss(self, state: Dict[str, Tensor]) -> Tensor:
        name = type(self).__name__
        if self.proxy_loss is None:
            raise FederationError(
                f'{name} needs a proxy set, samples that the server holds, '
                'but proxy_loss is None')
        loss = self.proxy_loss(state)
        # Weights made of it would ruin the global model without a word.
        if not loss.isfinite():
            raise FederationError(f'{name} needs a finite proxy loss, but got '
                                  f'{loss.item()}')
        return loss
