"""The device side of FedASMU."""

from typing import Dict, Tuple

import torch
from torch import Tensor

from ..arguments import check_decay, check_not_negative, check_positive
from ..messages import FreshWeights
from ..state_math import (State, average_states, clone_state, displacements,
                          dot_states)
from .base import LocalObjective, TrainingStart

# What it writes down; the rest of its notes are w_g - w by parameter.
CONTROLS, SLOPE = 'controls', 'controls/slope'


class FreshModel(LocalObjective):
    """Device side of FedASMU (Liu et al., AAAI 2024, arXiv 2312.05770).

    A client that has started from version o of the global weights asks for
    those of the moment, w_g of version g, in the midst of its training. If
    they are newer it goes on with

        phi = gamma / sqrt(g) (1 - upsilon / sqrt(g - o + 1)),
        beta = mu phi / (1 + mu phi),
        w <- (1 - beta) w + beta w_g,

    buffers included and its moments as they are: the older the weights that
    it has started from, the more it takes of the fresh ones, and the less the
    longer the whole training has lasted. A phi below 0 counts as 0. The
    server's side is :class:`StalenessAware`; for it the update is as old as
    the weights that its client started from.

    If ``control_lr`` is positive, gamma and upsilon are each client's own.
    They take a step of gradient descent, bounded by 0 from below, by dL/dbeta
    = <dL/dw, w_g - w>, where L is the loss of the first step after w_g was
    taken in and its gradient is what the optimizer gets, clipped if that is.

    Two things differ from the paper, as far as descriptions of it tell: when
    a client asks is fixed, and not learned by reinforcement; and L is the
    loss of one step, not of all of the client's samples.

    Args:
        at (float): Share of its local training after which a client asks, in
            [0, 1). Defaults to 0.5.
        mu (float): Weight of phi, > 0. Defaults to 1.
        gamma (float): Weight of what decays with g, >= 0. Defaults to 1.
        upsilon (float): What is taken off if o is young, >= 0. Defaults to
            0.5.
        control_lr (float): Learning rate of gamma and upsilon, >= 0.
            Defaults to 0, which leaves them as they are.
    """

    def __init__(self,
                 at: float = 0.5,
                 mu: float = 1.,
                 gamma: float = 1.,
                 upsilon: float = 0.5,
                 control_lr: float = 0.):
        super().__init__()
        check_decay(at, 'at')
        check_positive(mu, 'mu')
        for name, value in (('gamma', gamma), ('upsilon', upsilon),
                            ('control_lr', control_lr)):
            check_not_negative(value, name)
        self.refresh_at = at
        self.mu = mu
        self.initial = torch.tensor([gamma, upsilon], dtype=torch.float64)
        self.control_lr = control_lr
        self.is_observing = control_lr > 0

    def share(self, controls: Tensor, version: int, age: int) -> Tensor:
        """beta of fresh weights.

        Args:
            controls (Tensor): gamma and upsilon, in shape (2, ).
            version (int): g, >= 1.
            age (int): g - o, >= 1.

        Returns:
            Tensor: beta, in shape ().
        """
        gamma, upsilon = controls
        phi = gamma / version**.5 * (1 - upsilon / (age + 1)**.5)
        phi = self.mu * phi.clamp(min=0)
        return phi / (1 + phi)

    def take_in(self, state: State, fresh: FreshWeights, age: int,
                start: TrainingStart) -> State:
        """Mix fresh weights in, see :class:`LocalObjective`."""
        controls = start.memory.get(CONTROLS, self.initial).cpu()
        with torch.enable_grad():
            controls = controls.clone().requires_grad_()
            share = self.share(controls, fresh.version, age)
            slope, = torch.autograd.grad(share, controls)
        beta = share.item()
        if self.is_observing:
            names = [
                key for key, value in state.items()
                if value.is_floating_point()
            ]
            way, = displacements([fresh.state], state, names)
            start.notes.update(way)
            start.notes[SLOPE] = slope
            start.notes[CONTROLS] = controls.detach()
        return average_states([state, fresh.state], [1 - beta, beta])

    def observe(self, parameters: State, gradients: State,
                start: TrainingStart):
        """Step along the gradient of gamma and upsilon, once."""
        if SLOPE not in start.notes:
            return
        slope = start.notes[SLOPE] * dot_states(gradients, start.notes)
        controls = start.notes[CONTROLS] - self.control_lr * slope
        start.notes.clear()
        start.notes[CONTROLS] = controls.clamp(min=0)

    def finish_client(self, state: State, start: TrainingStart,
                      lr_sums: Dict[str, float]) -> Tuple[State, State]:
        """Keep the controls, see :class:`LocalObjective`."""
        if CONTROLS in start.notes:
            return dict(controls=start.notes[CONTROLS]), {}
        return clone_state(start.memory), {}
