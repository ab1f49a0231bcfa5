"""numpy >= 2.4: MMPose draws keypoints with the OpenCV backend again."""

import functools
from types import ModuleType

from .finders import AfterImport


def close() -> None:
    """Mend the visualizer when it is imported."""
    AfterImport('mmpose.visualization.opencv_backend_visualizer',
                _accept_radius_arrays).install()


def _accept_radius_arrays(module: ModuleType) -> None:
    import numpy as np
    visualizer = module.OpencvBackendVisualizer
    draw_circles = visualizer.draw_circles

    @functools.wraps(draw_circles)
    def draw(self, center, radius, *args, **kwargs):
        # It calls int(radius) with arrays of one element, which numpy
        # refuses since 2.4.
        if self.backend == 'opencv':
            radius = np.asarray(radius).item()
        return draw_circles(self, center, radius, *args, **kwargs)

    visualizer.draw_circles = draw
