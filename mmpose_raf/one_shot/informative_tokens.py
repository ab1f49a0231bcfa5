"""Which patches of an image carry what a model says about a pose."""

from contextlib import contextmanager
from typing import Iterator, List, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Grid = Tuple[int, int]


@contextmanager
def last_qkv(models: Sequence[nn.Module]) -> Iterator[List[Tensor]]:
    """While open, note what the last attention of ViTs computes.

    Args:
        models (list[nn.Module]): Pose estimators with a :class:`RAFViT`.

    Yields:
        list[Tensor]: Queries, keys and values of each forward pass, in shape
        (B, E + N, 3 C).
    """
    found: List[Tensor] = []
    handles = [
        model.backbone.layers[-1].attn.qkv.register_forward_hook(
            lambda module, args, output: found.append(output.detach()))
        for model in models
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def attention_to_patches(qkv: Tensor, num_heads: int,
                         shares: Tensor) -> Tensor:
    """How much the tokens of a pose attend to each patch.

    Sparse model inversion (Hu et al., ICML 2024, arXiv 2510.27186) takes the
    attention of a classifier's class token, in the mean over heads. A pose
    estimator reads its heatmaps from the patches, so here those take its
    place on which the pose lies: sum_q s_q mean_h A_hqp.

    Args:
        qkv (Tensor): Queries, keys and values of the last attention, in shape
            (B, E + N, 3 C); the first E tokens belong to no patch.
        num_heads (int): Number of heads h; divides C.
        shares (Tensor): s_q, how much of the pose lies on each patch, in
            shape (B, N); they add up to 1.

    Returns:
        Tensor: In shape (B, N), in [0, 1].
    """
    query, key, _ = qkv.unflatten(-1, (3, num_heads, -1)).permute(
        2, 0, 3, 1, 4)
    attention = (query @ key.transpose(-1, -2) *
                 query.shape[-1]**-.5).softmax(-1).mean(1)
    num_extra = attention.shape[-1] - shares.shape[-1]
    return torch.einsum('bq,bqp->bp', shares,
                        attention[:, num_extra:, num_extra:])


def pose_on_patches(heatmaps: Tensor, grid: Grid) -> Tuple[Tensor, Tensor]:
    """Where on the patches a pose lies.

    Args:
        heatmaps (Tensor): Its heatmaps, in shape (B, K, h, w).
        grid (tuple[int, int]): Number of patches (H, W).

    Returns:
        tuple[Tensor, Tensor]: How much of the pose lies on each patch, shares
        that add up to 1 (or are all equal, if there is no pose), and whether
        the maximum of a heatmap does; both in shape (B, H W).
    """
    mass = F.adaptive_avg_pool2d(heatmaps.sum(1, keepdim=True), grid)
    mass = mass.flatten(1)
    total = mass.sum(1, keepdim=True)
    shares = (mass / total).where(total > 0, 1 / mass.shape[1])
    peaks = heatmaps.flatten(2).max(2)
    width = heatmaps.shape[-1]
    row = peaks.indices // width * grid[0] // heatmaps.shape[-2]
    column = peaks.indices % width * grid[1] // width
    has_peak = torch.zeros_like(mass).scatter_reduce_(
        1, row * grid[1] + column, (peaks.values > 0).to(mass.dtype), 'amax')
    return shares, has_peak > 0


def choose_informative(attention: Tensor, has_peak: Tensor,
                       share: float) -> Tensor:
    """Choose the patches that carry information.

    Those with a keypoint come first, then those that the pose attends to
    most.

    Args:
        attention (Tensor): See :func:`attention_to_patches`, (B, N).
        has_peak (Tensor): Whether a keypoint lies on a patch, (B, N).
        share (float): How many of the patches are chosen, in (0, 1]; rounded,
            one at least.

    Returns:
        Tensor: Whether a patch is chosen, (B, N).
    """
    count = max(1, round(share * attention.shape[1]))
    # Attention is at most 1.
    order = (attention + 2 * has_peak.to(attention.dtype)).topk(
        count, dim=1).indices
    return torch.zeros_like(has_peak).scatter_(1, order, True)


def to_pixels(chosen: Tensor, grid: Grid, size: Grid) -> Tensor:
    """Patches (B, N) of a grid (H, W) as a map (B, 1, h, w) of a size."""
    maps = chosen.unflatten(1, grid)[:, None].float()
    return F.interpolate(maps, size=size, mode='nearest-exact') > 0.5
