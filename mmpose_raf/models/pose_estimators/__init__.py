"""Pose estimators."""

from .raf_pose_estimator import RAFPoseEstimator

__all__ = ['RAFPoseEstimator']
