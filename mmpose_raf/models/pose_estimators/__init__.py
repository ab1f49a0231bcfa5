"""Pose estimators."""

from .raf_pose_estimator import RAFPoseEstimator
from .ranked_pose_estimator import RankedPoseEstimator

__all__ = ['RAFPoseEstimator', 'RankedPoseEstimator']
