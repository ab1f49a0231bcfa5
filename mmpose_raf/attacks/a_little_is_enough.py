"""An update that hides among the honest ones."""

from typing import Sequence

import torch
from torch import Generator

from mmpose_raf.federation.arguments import check_positive
from mmpose_raf.federation.state_math import State
from mmpose_raf.registry import ATTACKS
from .base import UpdateAttack


@ATTACKS.register_module()
class ALittleIsEnough(UpdateAttack):
    """A Little Is Enough (Baruch et al., NeurIPS 2019, arXiv 1902.06156).

    Sends mu - z sigma, coordinate by coordinate, with the mean mu and the
    standard deviation sigma of the updates: within the spread of the honest
    ones, where robust rules look for nobody, but always against them. The
    paper's attackers estimate both from what the clients that they hold have
    trained; here the attacker sees what the round's honest clients send,
    which is the most that it could know. In a round without them it sends
    what it has trained.

    Args:
        z (float): How many standard deviations, > 0. With n clients, m of
            them hostile, a median follows it up to z = Phi^-1((n - m - s) /
            (n - m)), s = floor(n / 2 + 1) - m (the paper's z_max); beyond
            that it is further out, and harms a mean more. Defaults to 1.5.
    """

    needs_others = True

    def __init__(self, z: float = 1.5):
        check_positive(z, 'z')
        self.z = z

    def poison(self, way: State, others: Sequence[State],
               generator: Generator) -> State:
        """mu - z sigma, see :class:`UpdateAttack`."""
        if not others:
            return way
        poisoned = {}
        for key in way:
            stacked = torch.stack([other[key] for other in others])
            poisoned[key] = stacked.mean(0) - self.z * stacked.std(
                0, correction=0)
        return poisoned
