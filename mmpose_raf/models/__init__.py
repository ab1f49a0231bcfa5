"""Models: backbones, heads, losses, pose estimators, and the ladder."""

from .backbones import RAFViT
from .heads import AnyResolutionHeatmapHead
from .lora import LoRA
from .losses import MultiResolutionDistillLoss
from .pose_estimators import RAFPoseEstimator, RankedPoseEstimator

__all__ = [
    'AnyResolutionHeatmapHead', 'LoRA', 'MultiResolutionDistillLoss',
    'RAFPoseEstimator', 'RAFViT', 'RankedPoseEstimator'
]
