"""Distillation between the resolutions of the same image."""

from typing import List, Sequence

import torch.nn as nn
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.ladder import resample

TEACHERS = ('next', 'highest')
UPSAMPLINGS = ('nearest', 'bilinear')


@MODELS.register_module()
class MultiResolutionDistillLoss(nn.Module):
    """Multi-resolution heatmap distillation of RAF (arXiv 2507.23461).

    The heatmaps of every level but the highest learn from those of a higher
    one: kd_l = MSE(v up(P_l), v stopgrad(P_teacher)).

    Args:
        alpha (float): Weight of the distillation beside the task loss, >= 0.
            Defaults to 1, the authors'.
        teacher (str): ``'next'``, the next higher level (a chain), or
            ``'highest'``. Defaults to ``'next'``.
        upsample (str): How the student reaches the teacher's size:
            ``'nearest'`` as published, or ``'bilinear'`` in the codec's
            coordinates. Defaults to ``'nearest'``.
        use_udp (bool): Whether heatmap coordinates are UDP's, see
            :func:`mmpose_raf.models.ladder.resample`. Defaults to True.
    """

    def __init__(self,
                 alpha: float = 1.,
                 teacher: str = 'next',
                 upsample: str = 'nearest',
                 use_udp: bool = True):
        super().__init__()
        if alpha < 0:
            raise ConfigError('distill.alpha', f'got {alpha}',
                              'use 0 (no distillation) or more')
        if teacher not in TEACHERS:
            raise ConfigError('distill.teacher', f'got {teacher!r}',
                              f'use one of {", ".join(TEACHERS)}')
        if upsample not in UPSAMPLINGS:
            raise ConfigError('distill.upsample', f'got {upsample!r}',
                              f'use one of {", ".join(UPSAMPLINGS)}')
        self.alpha = alpha
        self.teacher = teacher
        self.upsample = upsample
        self.use_udp = use_udp

    def forward(self, heatmaps: Sequence[Tensor],
                weights: Tensor) -> List[Tensor]:
        """Compute the distillation terms kd_l, not weighted by alpha.

        Args:
            heatmaps (list[Tensor]): Predictions of n levels from high to
                low, each in shape (B, K, H_l, W_l).
            weights (Tensor): Keypoint weights v in shape (B, K).

        Returns:
            list[Tensor]: The n - 1 scalars kd_2 .. kd_n; the mean is over
            batch, keypoints and the teacher's pixels. No gradient enters the
            teacher.
        """
        weights = weights[..., None, None]
        terms = []
        for level in range(1, len(heatmaps)):
            above = level - 1 if self.teacher == 'next' else 0
            teacher = heatmaps[above].detach().float()
            student = self._enlarge(heatmaps[level].float(), teacher)
            terms.append(F.mse_loss(weights * student, weights * teacher))
        return terms

    def _enlarge(self, student: Tensor, teacher: Tensor) -> Tensor:
        height, width = teacher.shape[-2:]
        if self.upsample == 'nearest':
            return F.interpolate(student, size=(height, width))
        return resample(student, (width, height), self.use_udp)
