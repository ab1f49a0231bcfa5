"""Poisoned labels."""

from typing import Optional, Tuple

import numpy as np
from mmpose.registry import TRANSFORMS

from mmpose_raf.registry import ATTACKS
from .arguments import check_share, check_shift
from .base import SampleAttack


@TRANSFORMS.register_module()
@ATTACKS.register_module()
class SwapKeypoints(SampleAttack):
    """Swaps left and right: the label flipping of pose estimation (for
    classes e.g. Tolpegin et al., ESORICS 2020, arXiv 2007.08432).

    Args:
        share (float): Share of the samples that are poisoned, in (0, 1].
            Defaults to 1.
    """

    def __init__(self, share: float = 1.):
        check_share(share, 'share')
        self.share = share

    def check(self, metainfo: dict):
        """Refuse a dataset whose keypoints have no left and right."""
        flipped = list(metainfo['flip_indices'])
        if flipped == sorted(flipped):
            raise ValueError('its keypoints have no left and right')

    def transform(self, results: dict) -> Optional[dict]:
        """Swap coordinates and visibility, in shapes (1, K, ...)."""
        if np.random.rand() < self.share:
            for key in ('transformed_keypoints', 'keypoints_visible'):
                results[key] = results[key][:, results['flip_indices']]
        return results


@TRANSFORMS.register_module()
@ATTACKS.register_module()
class MoveKeypoints(SampleAttack):
    """Moves all keypoints the same way.

    A keypoint that leaves the crop teaches nothing, as any that lies outside.

    Args:
        shift (tuple[float, float]): How far to the right and down, in crop
            widths and heights, within (-1, 1). Defaults to (0.1, 0.1).
        share (float): Share of the samples that are poisoned, in (0, 1].
            Defaults to 1.
    """

    def __init__(self,
                 shift: Tuple[float, float] = (0.1, 0.1),
                 share: float = 1.):
        check_shift(shift, 'shift')
        check_share(share, 'share')
        self.shift = tuple(shift)
        self.share = share

    def transform(self, results: dict) -> Optional[dict]:
        """Move the coordinates, in shape (1, K, 2)."""
        if np.random.rand() < self.share:
            keypoints = results['transformed_keypoints'].copy()
            keypoints[..., :2] += np.multiply(self.shift,
                                              results['input_size'])
            results['transformed_keypoints'] = keypoints
        return results
