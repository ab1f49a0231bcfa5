"""A pose estimator that is a part of a random network."""

import torch
from mmpose.registry import MODELS
from mmpose.utils.typing import SampleList
from torch import Tensor
from torch.nn.utils import parametrize

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.edge_popup import (draw_edges, layers_of,
                                          parametrize_edges)
from mmpose_raf.models.pretrained import is_pretrained
from .raf_pose_estimator import RAFPoseEstimator

#: Edges of Kaiming's size give outputs of unit scale; the root mean square of
#: a heatmap is about this.
HEATMAP_SCALE = 0.1


@MODELS.register_module()
class RankedPoseEstimator(RAFPoseEstimator):
    """A random network of which training chooses a part, for FRL, see
    :class:`RankingVote`.

    The weights of all linear and convolutional layers are signed constants,
    drawn once by the run's seed; what is trained are scores, of which those
    of the highest rank in each layer are used (:class:`EdgePopup`). Biases
    are 0, normalisation has no scale and shift of its own, and whatever else
    there is stays as it was initialised. The weights that put out the
    heatmaps are smaller, by :data:`HEATMAP_SCALE`: no choice of edges makes
    large outputs nearly 0 nearly everywhere, as a heatmap is. Backbone and
    head may be any that :class:`RAFPoseEstimator` takes, with ``ladder=[]``
    and ``distill=None`` it is a plain top-down pose estimator.

    Args:
        keep (float): Share of the edges of each layer that is used, in
            (0, 1). Defaults to 0.5.
        **kwargs: As in :class:`RAFPoseEstimator`. A random network loads no
            weights: an ``init_cfg`` that does is refused.

    Raises:
        ConfigError: If an argument is not what it may be.
    """

    def __init__(self, *, keep: float = 0.5, **kwargs):
        if isinstance(keep, bool) or not 0 < keep < 1:
            raise ConfigError('model.keep', f'got {keep!r}',
                              'use a share in (0, 1)')
        super().__init__(**kwargs)
        if is_pretrained(self.init_cfg) or is_pretrained(
                self.backbone.init_cfg):
            raise ConfigError('model.init_cfg',
                              'a random network starts from no weights',
                              'leave it out')
        self.keep = keep
        parametrize_edges(self, keep)

    def init_weights(self):
        """Draw weights and scores."""
        super().init_weights()
        draw_edges(self, self.keep)
        *_, last = layers_of(self.head)
        with torch.no_grad():
            last.parametrizations.weight.original.mul_(HEATMAP_SCALE)

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict:
        """See :class:`RAFPoseEstimator`; masks are made once for all
        levels."""
        with parametrize.cached():
            return super().loss(inputs, data_samples)
