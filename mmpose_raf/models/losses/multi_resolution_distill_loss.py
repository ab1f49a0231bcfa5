"""Distillation between the resolutions of the same image."""

from typing import List, Sequence, Tuple

import torch.nn as nn
import torch.nn.functional as F
from mmpose.registry import MODELS
from torch import Tensor

from mmpose_raf.errors import ConfigError, check_choice
from mmpose_raf.models.ladder import resample
from mmpose_raf.sizes import size_of

TEACHERS = ('next', 'highest')
RESIZES = ('nearest', 'bilinear', 'teacher')


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
        resize (str): How student and teacher come to one size: the student
            is enlarged by ``'nearest'`` as published, or ``'bilinear'`` in
            the codec's coordinates, or the ``'teacher'`` is made smaller
            (bilinear). Defaults to ``'nearest'``.
    """

    def __init__(self,
                 alpha: float = 1.,
                 teacher: str = 'next',
                 resize: str = 'nearest'):
        super().__init__()
        if alpha < 0:
            raise ConfigError('distill.alpha', f'got {alpha}',
                              'use 0 (no distillation) or more')
        self.alpha = alpha
        self.teacher = check_choice(teacher, TEACHERS, 'distill.teacher')
        self.resize = check_choice(resize, RESIZES, 'distill.resize')

    def forward(self, heatmaps: Sequence[Tensor], weights: Tensor,
                use_udp: bool = True) -> List[Tensor]:
        """Compute the distillation terms kd_l, not weighted by alpha.

        Args:
            heatmaps (list[Tensor]): Predictions of n levels from high to
                low, each in shape (B, K, H_l, W_l).
            weights (Tensor): Keypoint weights v in shape (B, K).
            use_udp (bool): Whether the heatmaps' coordinates are those of
                UDP, see :func:`mmpose_raf.models.ladder.resample`. Without
                effect on ``'nearest'``. Defaults to True.

        Returns:
            list[Tensor]: The n - 1 scalars kd_2 .. kd_n; the mean is over
            batch, keypoints and the pixels at which they are compared. No
            gradient enters the teacher.
        """
        return [
            self.term(heatmaps[:level + 1], weights, use_udp)
            for level in range(1, len(heatmaps))
        ]

    def term(self, heatmaps: Sequence[Tensor], weights: Tensor,
             use_udp: bool = True) -> Tensor:
        """Compute the term of the lowest level so far, not weighted by alpha.

        Args:
            heatmaps (list[Tensor]): Predictions of the levels down to this
                one, at least two, see :meth:`forward`.
            weights (Tensor): Keypoint weights v in shape (B, K).
            use_udp (bool): See :meth:`forward`.

        Returns:
            Tensor: The scalar kd_l.
        """
        weights = weights[..., None, None]
        above = heatmaps[-2] if self.teacher == 'next' else heatmaps[0]
        student, teacher = self._to_one_size(heatmaps[-1].float(),
                                             above.detach().float(), use_udp)
        return F.mse_loss(weights * student, weights * teacher)

    def _to_one_size(self, student: Tensor, teacher: Tensor,
                     use_udp: bool) -> Tuple[Tensor, Tensor]:
        if self.resize == 'nearest':
            return F.interpolate(student, size=teacher.shape[-2:]), teacher
        if self.resize == 'bilinear':
            return resample(student, size_of(teacher), use_udp), teacher
        return student, resample(teacher, size_of(student), use_udp)
