"""One-shot federated learning: every client sends its model once.

:mod:`.client_training` trains the clients, each by itself,
:mod:`.pose_statistics` is what they send beside their models.
:class:`.Ensemble` puts the models side by side, :class:`.Inversion` makes
images that they take for poses of a :mod:`.pose_prior`, and
:class:`.Distillation` trains the global model on these. :func:`.run_one_shot`
does one after the other.
"""

from .distillation import Distillation
from .ensemble import Ensemble
from .inversion import Inversion
from .one_shot_settings import OneShotSettings
from .pose_statistics import PoseStatistics, PoseStatisticsHook
from .run import run_one_shot

__all__ = [
    'Distillation', 'Ensemble', 'Inversion', 'OneShotSettings',
    'PoseStatistics', 'PoseStatisticsHook', 'run_one_shot'
]
