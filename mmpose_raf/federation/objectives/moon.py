"""MOON."""

from typing import Dict, List, Sequence, Tuple

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from ..arguments import check_not_negative, check_positive
from ..state_math import State, clone_state
from .base import LocalObjective, TrainingStart


class MOON(LocalObjective):
    """MOON (Li et al., CVPR 2021): model-contrastive training.

    Beside the loss of a client stands mu times the mean over its images of
    -log(e^(s_g / T) / (e^(s_g / T) + e^(s_p / T))), where s_g and s_p are the
    cosines between the features z of the model in training and those that
    the global model and the client's own model of its last round have of the
    same image: it pulls towards the first and away from the second. In a
    client's first round there is nothing to compare with and no such loss.

    z is the output of a submodule averaged over the image; the paper's
    projection head is left out, for a pose estimator has none. Each client
    keeps that submodule's weights of its last round; each step costs two
    more forward passes of it, which run in evaluation mode. Of several levels
    in a batch the first, i.e. highest, is compared. Layers that stay with the
    client are its present ones in all three.

    Args:
        mu (float): Weight of the loss, >= 0. Defaults to 1.
        temperature (float): T, > 0. Defaults to 0.5.
        feature_module (str): Name of the submodule in the model. Defaults to
            ``'backbone'``, which is the one that sees the images.
    """

    def __init__(self,
                 mu: float = 1.,
                 temperature: float = 0.5,
                 feature_module: str = 'backbone'):
        super().__init__()
        check_not_negative(mu, 'mu')
        check_positive(temperature, 'temperature')
        self.mu = mu
        self.temperature = temperature
        self.feature_module = feature_module

    def references(self, start: TrainingStart) -> List[State]:
        """Global and previous model, see :class:`LocalObjective`."""
        return [start.anchor, start.memory] if start.memory else []

    def feature_loss(self, features: Tensor,
                     references: Sequence[Tensor]) -> Tensor:
        """The contrastive loss, see :class:`LocalObjective`."""
        cosines = torch.stack([
            cosine_similarity(features, reference)
            for reference in references
        ])
        log_shares = (cosines / self.temperature).log_softmax(0)
        return -self.mu * log_shares[0].mean()

    def finish_client(self, state: State, start: TrainingStart,
                      lr_sums: Dict[str, float]) -> Tuple[State, State]:
        """Keep the client's model, see :class:`LocalObjective`."""
        prefix = f'{self.feature_module}.'
        own = {
            key: value
            for key, value in state.items() if key.startswith(prefix)
        }
        return clone_state(own), {}
