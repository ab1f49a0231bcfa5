"""Alignment of shallow features."""

from typing import List, Sequence

from torch import Tensor

from ..arguments import check_not_negative
from ..errors import FederationError
from ..state_math import State
from .base import LocalObjective, TrainingStart


class FeatureAlignment(LocalObjective):
    """Shallow features follow those of the round's global model.

    Beside the loss of a client stands mu/n sum_b mean((f_b - g_b)^2) over n
    shallow blocks b, with the features f_b of the model in training and g_b
    of the global weights that it started from, of the same images; the mean
    is over batch, places and channels. No gradient enters g_b.

    That is the multi-grain knowledge distillation of FSAR (Guo et al., ICCV
    2023, arXiv 2306.11046) as its abstract describes it, "aligning shallow
    block-wise motion features", with the squared error of our choice: the
    paper's own formula was not at hand. FSAR's topology structure belongs to
    skeletons and is left out.

    Nothing is kept or sent besides the weights; each step costs one more
    forward pass of ``feature_module``, in evaluation mode. Of several levels
    in a batch the first, i.e. highest, is compared.

    Args:
        mu (float): Weight of the loss, >= 0.
        layers (list[str]): Names or shell patterns of the blocks in
            ``feature_module``. Defaults to the first two of a ViT; of a
            ResNet e.g. ``['layer1']``.
        feature_module (str): Name of the submodule in the model. Defaults to
            ``'backbone'``, which is the one that sees the images.
    """

    takes_submodels = True

    def __init__(self,
                 mu: float,
                 layers: Sequence[str] = ('layers.0', 'layers.1'),
                 feature_module: str = 'backbone'):
        super().__init__()
        check_not_negative(mu, 'mu')
        if isinstance(layers, str) or not layers:
            raise FederationError(
                f'layers must be a list of names, but got {layers!r}')
        self.mu = mu
        self.feature_layers = tuple(layers)
        self.feature_module = feature_module

    def references(self, start: TrainingStart) -> List[State]:
        """The global model, see :class:`LocalObjective`."""
        return [start.anchor]

    def layer_loss(self, layers: Sequence[Tensor],
                   references: Sequence[Sequence[Tensor]]) -> Tensor:
        """The squared error, see :class:`LocalObjective`."""
        anchors, = references
        errors = [(own - anchor).square().mean()
                  for own, anchor in zip(layers, anchors)]
        return self.mu * sum(errors) / len(errors)
