"""A crop from what a small camera would have seen."""

import cv2
import numpy as np
from mmpose.datasets.transforms import TopdownAffine
from mmpose.registry import TRANSFORMS

from mmpose_raf.sizes import Size

# What lies in the image's pixels and is read by the crop.
POINTS = ('bbox_center', 'keypoints')


@TRANSFORMS.register_module()
class CapturedTopdownAffine(TopdownAffine):
    """MMPose's ``TopdownAffine`` behind a camera of low resolution.

    The resolution at which a person was captured is not the size at which
    the model sees it: a small camera's picture can be enlarged, and a large
    one's made smaller. Here the source is first made smaller, each pixel the
    mean of those that it replaces (area), until the frame of the crop has
    ``capture_size`` pixels; then it is cropped at ``input_size``. A source
    that shows the frame in fewer pixels stays as it is: nothing is invented.

    Keypoints, boxes and the geometry of the crop stay in the pixels of the
    original image, so that metrics and visualisers see no difference.

    Args:
        input_size (tuple[int, int]): Size (w, h) of the crop in pixels.
        capture_size (tuple[int, int]): Size (w, h), in the captured pixels,
            of the frame that is cropped (the person's padded box). What fits
            both sides less tightly decides.
        use_udp (bool): As in ``TopdownAffine``. Defaults to False.
    """

    def __init__(self,
                 input_size: Size,
                 capture_size: Size,
                 use_udp: bool = False):
        super().__init__(input_size, use_udp)
        self.capture_size = tuple(capture_size)

    def transform(self, results: dict) -> dict:
        """Capture and crop; see ``TopdownAffine.transform``."""
        width, height = self.input_size
        frame = self._fix_aspect_ratio(results['bbox_scale'], width / height)
        ratio = max(self.capture_size[0] / frame[0, 0],
                    self.capture_size[1] / frame[0, 1])
        if ratio >= 1:
            return super().transform(results)

        # Whole pixels: the ratio of each axis is what came out.
        sides = np.array(results['img'].shape[1::-1])
        captured = np.maximum(np.round(sides * ratio), 1).astype(int)
        ratios = (captured / sides).astype(np.float32)

        original = {key: results[key] for key in POINTS if key in results}
        results['img'] = cv2.resize(
            results['img'],
            tuple(captured.tolist()),
            interpolation=cv2.INTER_AREA)
        for key, points in original.items():
            results[key] = points.copy()
            # Of pixel centres: the first pixel ranges from -0.5 to 0.5.
            results[key][..., :2] = (points[..., :2] + 0.5) * ratios - 0.5
        results['bbox_scale'] = frame * ratios
        results = super().transform(results)

        # The parent has fixed the aspect ratio of the frame again, after the
        # rounding of each axis: the crop shows what it says.
        results['input_center'] = (results['input_center'] +
                                   0.5) / ratios - 0.5
        results['input_scale'] = results['input_scale'] / ratios
        results.update(original)
        results['bbox_scale'] = frame
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(input_size={self.input_size}, '
                f'capture_size={self.capture_size}, use_udp={self.use_udp})')
