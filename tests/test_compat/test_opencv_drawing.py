"""MMPose's drawing on the numpy that is installed, and on 2.4."""

import types

import numpy as np
from mmengine.structures import InstanceData

from mmpose_raf_compat import opencv_drawing


def test_arrays():

    class Visualizer:
        drawn = []

        def draw_circles(self, center, radius, face_colors='none'):
            if self.backend == 'opencv' and np.ndim(radius) > 0:
                raise TypeError('only 0-dimensional arrays')  # numpy 2.4
            self.drawn.append((center, radius, face_colors))

    module = types.SimpleNamespace(OpencvBackendVisualizer=Visualizer)
    opencv_drawing._accept_radius_arrays(module)
    visualizer = Visualizer()
    radius = np.array([3])
    visualizer.backend = 'opencv'
    visualizer.draw_circles((1, 2), radius, face_colors='r')
    visualizer.draw_circles((1, 2), 4)
    visualizer.backend = 'matplotlib'
    visualizer.draw_circles((1, 2), radius)
    assert visualizer.drawn[:2] == [((1, 2), 3, 'r'), ((1, 2), 4, 'none')]
    assert visualizer.drawn[2][1] is radius


def test_keypoint():
    """On the numpy that is installed, whichever it is."""
    from mmpose.structures import PoseDataSample
    from mmpose.visualization import PoseLocalVisualizer
    visualizer = PoseLocalVisualizer(radius=3)
    visualizer.set_dataset_meta(
        dict(keypoint_colors=np.array([[255, 0, 0]]),
             skeleton_links=[],
             skeleton_link_colors=np.zeros((0, 3))))
    sample = PoseDataSample(pred_instances=InstanceData(
        keypoints=np.array([[[20., 30.]]]), keypoint_scores=np.ones((1, 1))))
    image = visualizer.add_datasample('image',
                                      np.zeros((64, 64, 3), np.uint8),
                                      sample,
                                      draw_gt=False,
                                      draw_bbox=False)
    assert image[30, 20].tolist() == [255, 0, 0]
    assert image[30, 26].tolist() == [0, 0, 0]
