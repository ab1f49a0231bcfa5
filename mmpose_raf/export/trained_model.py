"""A trained model from its config and checkpoint."""

from pathlib import Path

from mmengine.registry import init_default_scope
from mmpose.apis.inference import dataset_meta_from_config
from mmpose.models.heads import HeatmapHead
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS
from torch import nn

from mmpose_raf.config_file import read_config
from mmpose_raf.errors import ConfigError
from mmpose_raf.models.model_checkpoint import load_weights


def load_trained_model(config: Path, checkpoint: Path) -> nn.Module:
    """Build a model and load all its weights.

    Args:
        config (Path): Config of MMPose with a top-down estimator that has a
            heatmap head.
        checkpoint (Path): Its checkpoint.

    Returns:
        TopdownPoseEstimator: The model in evaluation mode, on the CPU, with
        the config as ``cfg`` and the dataset's description as
        ``dataset_meta``, as ``mmpose.apis.init_model`` leaves them.

    Raises:
        ConfigError: If config and checkpoint do not fit, or the model is
            another one.
    """
    cfg = read_config(config)
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    # Pretrained weights would be replaced by the checkpoint's.
    cfg.model.backbone.pop('init_cfg', None)
    cfg.model.pop('init_cfg', None)
    model = MODELS.build(cfg.model).eval()
    if not isinstance(model, TopdownPoseEstimator) or not isinstance(
            model.head, HeatmapHead):
        raise ConfigError(
            'model', f'got {type(model).__name__} with '
            f'{type(getattr(model, "head", None)).__name__}',
            'use a top-down estimator with HeatmapHead or '
            'AnyResolutionHeatmapHead')
    saved = load_weights(model, checkpoint)
    meta = saved.get('meta', {}).get('dataset_meta')
    model.dataset_meta = meta or dataset_meta_from_config(cfg)
    model.cfg = cfg
    return model
