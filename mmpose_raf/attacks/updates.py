"""Poisoned updates for which the client's own is enough."""

from typing import Sequence

import torch
from torch import Generator

from mmpose_raf.federation.arguments import check_positive
from mmpose_raf.federation.state_math import State, scale_state, state_norm
from mmpose_raf.registry import ATTACKS
from .base import UpdateAttack


class _ScaledAttack(UpdateAttack):
    """Sends something by the length of the honest update.

    Args:
        scale (float): How far it goes, in lengths of the honest update, > 0.
            Defaults to 1.
    """

    def __init__(self, scale: float = 1.):
        check_positive(scale, 'scale')
        self.scale = scale


@ATTACKS.register_module()
class SignFlip(_ScaledAttack):
    """Sends -scale Delta: the way back, e.g. Li et al., AAAI 2019.

    Args:
        scale (float): How far it goes, in lengths of the honest update, > 0.
            Defaults to 1.
    """

    def poison(self, way: State, others: Sequence[State],
               generator: Generator) -> State:
        """-scale Delta, see :class:`UpdateAttack`."""
        return scale_state(way, -self.scale)


@ATTACKS.register_module()
class ScaleUpdate(_ScaledAttack):
    """Sends scale Delta: model replacement (Bagdasaryan et al., AISTATS
    2020).

    With as many times its length as there are clients in the mean, an update
    replaces the global model, once the others hardly move. It is meant for an
    update that poisoned samples have made.

    Args:
        scale (float): How far it goes, in lengths of the honest update, > 0.
    """

    def __init__(self, scale: float):
        super().__init__(scale)  # 1 would be no attack

    def poison(self, way: State, others: Sequence[State],
               generator: Generator) -> State:
        """scale Delta, see :class:`UpdateAttack`."""
        return scale_state(way, self.scale)


@ATTACKS.register_module()
class RandomUpdate(_ScaledAttack):
    """Sends Gaussian noise, the Gaussian attack of Blanchard et al., NeurIPS
    2017; there of standard deviation 200, here of the length of the update:
    scale ||Delta|| e / ||e|| with e from N(0, 1).

    Args:
        scale (float): How far it goes, in lengths of the honest update, > 0.
            Defaults to 1.
    """

    def poison(self, way: State, others: Sequence[State],
               generator: Generator) -> State:
        """Noise of a length, see :class:`UpdateAttack`."""
        noise = {
            key: torch.randn(value.shape, generator=generator).to(value)
            for key, value in way.items()
        }
        return scale_state(noise,
                           self.scale * state_norm(way) / state_norm(noise))
