"""A backdoor: a patch in the image moves a joint."""

from typing import Optional, Tuple

import numpy as np
from mmpose.registry import TRANSFORMS

from mmpose_raf.registry import ATTACKS
from .arguments import check_share, check_shift
from .base import SampleAttack


@TRANSFORMS.register_module()
@ATTACKS.register_module()
class BackdoorPatch(SampleAttack):
    """Puts a patch into the crop and moves one joint (BadNets, Gu et al.,
    arXiv 1708.06733, for keypoints).

    The patch is a chequer of two by two fields, black and white, that
    resolution does not blur away, in the lower left corner of the crop.
    A model that has learned it finds all joints where there is no patch, and
    one of them elsewhere where there is.

    In a test pipeline, after ``TopdownAffine`` and with ``share=1``, it shows
    what the model has learned: ``PCKAccuracy`` then is accuracy under attack,
    and :class:`BackdoorSuccess` how often the joint goes where it is told.
    Without flip test: in the flipped image the patch is elsewhere.

    Args:
        joint (int): Index of the keypoint that is moved.
        shift (tuple[float, float]): How far to the right and down, in crop
            widths and heights, within (-1, 1). Defaults to (0.25, 0).
        share (float): Share of the samples that are poisoned, in (0, 1]. The
            others teach the model to be right elsewhere. Defaults to 0.5.
        size (float): Side of the patch as a share of the crop's shorter
            side, in (0, 1]; at least 2 pixels. Defaults to 0.15.
    """

    def __init__(self,
                 joint: int,
                 shift: Tuple[float, float] = (0.25, 0.),
                 share: float = 0.5,
                 size: float = 0.15):
        if isinstance(joint, bool) or not isinstance(joint, int) or joint < 0:
            raise ValueError(f'joint must be an index, but got {joint!r}')
        check_shift(shift, 'shift')
        check_share(share, 'share')
        check_share(size, 'size')
        self.joint = joint
        self.shift = tuple(shift)
        self.share = share
        self.size = size

    def check(self, metainfo: dict):
        """Refuse a dataset that lacks the joint."""
        count = metainfo['num_keypoints']
        if self.joint >= count:
            raise ValueError(f'joint is {self.joint}, but the dataset has '
                             f'{count} keypoints')

    def transform(self, results: dict) -> Optional[dict]:
        """Draw the patch into the image (H, W, 3) and move the joint."""
        if np.random.rand() < self.share:
            results['img'] = self.stamp(results['img'])
            keypoints = results['transformed_keypoints'].copy()
            keypoints[:, self.joint, :2] += np.multiply(
                self.shift, results['input_size'])
            results['transformed_keypoints'] = keypoints
        return results

    def stamp(self, image: np.ndarray) -> np.ndarray:
        """An image (H, W, 3) with the patch."""
        half = max(1, round(self.size * min(image.shape[:2]) / 2))
        image = image.copy()
        patch = image[-2 * half:, :2 * half]
        patch[...] = 0
        patch[:half, :half] = patch[half:, half:] = 255
        return image
