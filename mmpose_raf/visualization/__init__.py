"""Pictures and reports."""

from .pose_gallery import draw_pose_gallery
from .resolution_curve import plot_resolution_curve

__all__ = ['draw_pose_gallery', 'plot_resolution_curve']
