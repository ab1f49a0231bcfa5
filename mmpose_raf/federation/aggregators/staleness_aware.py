"""Asynchronous aggregation by the age of an update."""

from typing import Dict, List, Sequence

import torch
from torch import Tensor

from ..messages import ClientUpdate
from ..state_math import average_states, dot_states, displacements
from ..arguments import check_count, check_not_negative, check_positive
from ..errors import FederationError
from .proxy_guided import ProxyGuided


class StalenessAware(ProxyGuided):
    """Server side of FedASMU (Liu et al., AAAI 2024, arXiv 2312.05770).

    Each update makes a version t = 1, 2, ... of the global weights. That of a
    client which started s - 1 versions ago (s = ``staleness`` + 1) gets

        xi = lam / sqrt(t) s^-sigma + iota,
        alpha = mu xi / (1 + mu xi),
        w_t = (1 - alpha) w_{t-1} + alpha w_k,

    buffers included. With the defaults a fresh update gets alpha = 1 / (1 +
    sqrt(t)): 1/2 at first, 1/4 in version 9, 1/11 in version 100. In long
    trainings an iota > 0 keeps alpha from vanishing.

    If ``control_lr`` is positive, lam, sigma and iota are each client's own
    and take a step of gradient descent after each of its updates, bounded by
    0 from below, by dL/dalpha = <dL/dw_t, w_k - w_{t-1}>. L is the proxy
    loss; in the paper it is the client's own loss. The gradient takes buffers
    for constants.

    Args:
        mu (float): Weight of xi, > 0. Defaults to 1.
        lam (float): Weight of what decays with t and s, >= 0. Defaults to 1.
        sigma (float): How fast it decays with s, >= 0. Defaults to 0.5.
        iota (float): What does not decay, >= 0. Defaults to 0.
        control_lr (float): Learning rate of lam, sigma and iota, >= 0.
            Defaults to 0, which leaves them as they are.
        proxy_samples (int): Training samples that the server keeps for the
            proxy loss; > 0 if ``control_lr`` is. Defaults to 0.
    """

    is_asynchronous = True

    def __init__(self,
                 mu: float = 1.,
                 lam: float = 1.,
                 sigma: float = 0.5,
                 iota: float = 0.,
                 control_lr: float = 0.,
                 proxy_samples: int = 0):
        check_positive(mu, 'mu')
        for name, value in (('lam', lam), ('sigma', sigma), ('iota', iota),
                            ('control_lr', control_lr)):
            check_not_negative(value, name)
        self.mu = mu
        self.initial = [float(lam), float(sigma), float(iota)]
        self.control_lr = control_lr
        check_count(proxy_samples, 'proxy_samples', lowest=0)
        if (proxy_samples > 0) != (control_lr > 0):
            raise FederationError(
                'proxy_samples must be > 0 if control_lr is, and 0 if not, '
                f'but got {proxy_samples!r}')
        self.proxy_samples = proxy_samples
        self.version = 0
        self.controls: Dict[str, List[float]] = {}

    def aggregate(self, global_state: Dict[str, Tensor],
                  updates: Sequence[ClientUpdate]) -> Dict[str, Tensor]:
        """Take in one update after the other, see :class:`Aggregator`."""
        self.weights = {}
        for update in updates:
            self.version += 1
            global_state = self._take_in(global_state, update)
        return global_state

    def _take_in(self, old: Dict[str, Tensor],
                 update: ClientUpdate) -> Dict[str, Tensor]:
        controls = torch.tensor(
            self.controls.get(update.client, self.initial),
            dtype=torch.float64)
        alpha = self.share(controls, update.staleness).item()
        self.weights[update.client] = alpha
        new = average_states([old, update.state], [1 - alpha, alpha])
        if self.control_lr:
            controls -= self.control_lr * self.control_gradient(
                controls, old, new, update)
            self.controls = {
                **self.controls, update.client: controls.clamp(min=0).tolist()
            }
        return new

    def share(self, controls: Tensor, staleness: int) -> Tensor:
        """alpha of an update to the current version.

        Args:
            controls (Tensor): lam, sigma and iota of its client, in shape
                (3, ).
            staleness (int): s - 1.

        Returns:
            Tensor: alpha, in shape ().
        """
        lam, sigma, iota = controls
        xi = lam / self.version**0.5 * (staleness + 1.)**-sigma + iota
        return self.mu * xi / (1 + self.mu * xi)

    @torch.enable_grad()
    def control_gradient(self, controls: Tensor, old: Dict[str, Tensor],
                         new: Dict[str, Tensor],
                         update: ClientUpdate) -> Tensor:
        """Gradient of the proxy loss with respect to the controls.

        Args:
            controls (Tensor): See :meth:`share`.
            old (dict[str, Tensor]): Global weights w_{t-1}.
            new (dict[str, Tensor]): Global weights w_t.
            update (ClientUpdate): What w_t took in.

        Returns:
            Tensor: The gradient, in shape (3, ).
        """
        names = update.parameter_names
        way, = displacements([update.state], old, names)
        slope = dot_states(self.proxy_gradient(new, names), way)
        controls = controls.clone().requires_grad_()
        alpha = self.share(controls, update.staleness)
        return slope * torch.autograd.grad(alpha, controls)[0]

    def state_dict(self) -> dict:
        """The version, and the controls by client."""
        return dict(version=self.version, controls=self.controls)

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
        self.version = state_dict['version']
        self.controls = state_dict['controls']
