"""Pictures and reports."""

from .capture_curves import plot_capture_curves
from .drift_report import check_folder, write_report
from .keypoint_map import plot_keypoint_accuracy
from .pose_gallery import draw_pose_gallery
from .resolution_curve import plot_resolution_curve
from .training_curves import plot_training_curves
from .upsampling import plot_upsampling

__all__ = [
    'check_folder', 'draw_pose_gallery', 'plot_capture_curves',
    'plot_keypoint_accuracy', 'plot_resolution_curve', 'plot_training_curves',
    'plot_upsampling', 'write_report'
]
