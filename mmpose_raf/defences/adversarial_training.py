"""Training on images that are changed against the model."""

import math

import torch
from torch import nn

from mmpose_raf.attacks.arguments import check_share
from mmpose_raf.attacks.pgd import PGD, images_of
from mmpose_raf.registry import LOCAL_DEFENCES
from .base import Hardening, LocalDefence


@LOCAL_DEFENCES.register_module()
class AdversarialTraining(LocalDefence):
    """Adversarial training of the clients (FAT, Zizzo et al., 2020, arXiv
    2012.01791) with PGD (Madry et al., ICLR 2018, see :class:`PGD`).

    The first ``share`` of each batch is changed against the model as it is,
    and the labels stay: min_w E[max_{|d| <= eps} L(w, x + d, y)] on these
    images, the usual loss on the others. FAT's share and schedule could not
    be checked in the paper: here the share is fixed. With :class:`PGDHook`
    accuracy is measured on such images.

    It defends against images that are changed at inference. That it helps
    against clients that poison the training is not promised by the paper.

    Args:
        eps (float): How far a value of a pixel may move, of 255, > 0.
            Defaults to 4.
        step_size (float): Length of a step in the same unit, > 0. Defaults
            to 2.
        steps (int): Steps, >= 1. Each costs a forward and a backward pass of
            the share. Defaults to 3.
        share (float): Share of each batch that is changed, in (0, 1], of
            whole images, rounded up. Defaults to 0.5.
    """

    def __init__(self,
                 eps: float = 4.,
                 step_size: float = 2.,
                 steps: int = 3,
                 share: float = 0.5):
        self.pgd = PGD(eps, step_size, steps)
        check_share(share, 'share')
        self.share = share

    def start(self, model: nn.Module) -> Hardening:
        """See :class:`LocalDefence`."""

        def harden(batch: dict) -> dict:
            images = images_of(batch, model)
            count = math.ceil(self.share * len(images))
            changed = self.pgd.attack(model, images[:count],
                                      batch['data_samples'][:count])
            return dict(batch, inputs=torch.cat((changed, images[count:])))

        return harden
