"""The accuracy that is logged in training, without leaving the device."""

import torch
from torch import Tensor

from mmpose_raf.models.constants import constant_like


def heatmap_accuracy(output: Tensor, target: Tensor, visible: Tensor,
                     thr: float = 0.05) -> Tensor:
    """PCK between the maxima of two heatmaps, as MMPose logs it.

    Equal to ``mmpose.evaluation.functional.pose_pck_accuracy``, which works
    in numpy and thus waits for the device at every step and knows no
    bfloat16. Like it, x is divided by the heatmap's height and y by its
    width.

    Args:
        output (Tensor): Predicted heatmaps in shape (B, K, H, W).
        target (Tensor): Target heatmaps in shape (B, K, H, W).
        visible (Tensor): Which keypoints count, bool in shape (B, K).
        thr (float): Distance, as a share of the heatmap, below which a
            keypoint is right. Defaults to 0.05.

    Returns:
        Tensor: Accuracy in [0, 1], averaged over the keypoints that are
        visible anywhere in the batch; 0 if none is.
    """
    height, width = output.shape[-2:]

    def peak(heatmaps: Tensor) -> Tensor:
        value, index = heatmaps.flatten(2).max(-1)
        place = torch.stack((index % width, index // width), -1)
        return place.masked_fill((value <= 0)[..., None], -1).float()

    moved = peak(output) - peak(target)
    distance = (moved / constant_like((height, width), moved)).norm(dim=-1)
    count = visible.sum(0)
    share = ((distance < thr) & visible).sum(0) / count.clamp(min=1)
    return share.sum() / (count > 0).sum().clamp(min=1)
