"""What the global model learns from an inverted image."""

from typing import Optional

from torch import Tensor

from .informative_tokens import Grid, to_pixels

LABELS = ('relabel', 'ensemble', 'pose')


def relabel(poses: Tensor,
            ensemble: Tensor,
            labelled: Tensor,
            informative: Optional[Tensor] = None,
            grid: Optional[Grid] = None) -> Tensor:
    """Targets of FedMITR's token relabel (arXiv 2605.10748), for heatmaps.

    Where an image carries information it is labelled with the pose that it
    was made for, elsewhere with what the ensemble says of it, which is soft.
    Keypoints that the pose has not are labelled by the ensemble everywhere.

    Args:
        poses (Tensor): Heatmaps of the poses, in shape (B, K, h, w).
        ensemble (Tensor): Those of the ensemble, likewise.
        labelled (Tensor): Whether the pose has a keypoint, in shape (B, K).
        informative (Tensor, optional): Whether a patch carries information,
            in shape (B, N). Defaults to None: all do.
        grid (tuple[int, int], optional): Patches (H, W), N in all.

    Returns:
        Tensor: In shape (B, K, h, w).
    """
    chosen = (labelled > 0)[..., None, None]
    if informative is not None:
        chosen = chosen & to_pixels(informative, grid, poses.shape[-2:])
    return poses.where(chosen, ensemble)
