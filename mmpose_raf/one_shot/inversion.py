"""Images that models take for given poses."""

import math
from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.codecs import HeatmapCodec
from mmpose_raf.models.heatmap_targets import encode_batch
from mmpose_raf.sizes import Size
from .argument_checks import KEY, check_count, check_weight, is_number
from .ensemble import Ensemble
from .image_priors import NormStatistics, total_variation
from .informative_tokens import (Grid, attention_to_patches,
                                 choose_informative, last_qkv,
                                 pose_on_patches, to_pixels)
from .pose_statistics import from_frame


class Inverted(NamedTuple):
    """Images for poses, and where they carry information.

    Args:
        images (Tensor): In shape (B, 3, H, W), uint8, with the channels as
            MMPose loads them.
        informative (Tensor): Whether each patch of the highest level does,
            in shape (B, N), bool; all of them after dense inversion.
        keypoints (Tensor): Shares of the crop, in shape (B, K, 2).
        labelled (Tensor): 1 or 0, in shape (B, K).
    """

    images: Tensor
    informative: Tensor
    keypoints: Tensor
    labelled: Tensor


@dataclass(frozen=True)
class Inversion:
    """Sparse model inversion (Hu et al., ICML 2024, arXiv 2510.27186) of an
    ensemble of pose estimators, as FedMITR (arXiv 2605.10748) has it.

    From noise, images x are moved by Adam so that the ensemble's heatmaps
    P(x) become those of poses, T:

        ||v (P(x) - T)||^2 / (B K H W) + tv TV(x) + l2 ||x||^2 + norm R(x),

    v the labelled keypoints, TV and ||x||^2 means over the values of x in
    [-1/2, 1/2] (0 is grey), R see :class:`NormStatistics`. Each step shows x
    at one level of the ladder, from high to low and again, so that it is an
    image of the pose at each size. The steps fall into equal stages; after
    each but the last, fewer patches are left that are still moved, those that
    carry information (:func:`choose_informative`): the background stays as it
    is. The ViT sees all patches to the end, for its convolutions need the
    whole grid: stopping saves no computation here.

    Of the two papers only abstracts and descriptions were at hand; stages,
    weights and the choice of patches for heatmaps are our own.

    Args:
        steps (int): Steps of Adam. Defaults to 120.
        lr (float): Its learning rate, in units of an image's range, > 0.
            Defaults to 0.05.
        keep (tuple[float]): Share of the patches, in (0, 1), that is left
            after each stage but the last, falling. An empty one is dense
            inversion. Defaults to (0.75, 0.5).
        tv (float): Weight of the total variation, >= 0. Defaults to 0.3.
        l2 (float): Weight of the mean square, >= 0. Defaults to 1e-4.
        norm (float): Weight of the statistics, >= 0. Defaults to 1e-3.
    """

    steps: int = 120
    lr: float = 0.05
    keep: Tuple[float, ...] = (0.75, 0.5)
    tv: float = 0.3
    l2: float = 1e-4
    norm: float = 1e-3

    def __post_init__(self):
        field = f'{KEY}.inversion'
        check_count(self.steps, f'{field}.steps')
        check_weight(self.lr, f'{field}.lr', above_zero=True)
        for name in ('tv', 'l2', 'norm'):
            check_weight(getattr(self, name), f'{field}.{name}')
        keep = self.keep
        is_falling = isinstance(keep, (list, tuple)) and all(
            is_number(share) and 0 < share < before
            for share, before in zip(keep, (1, *keep)))
        if not is_falling:
            raise ConfigError(f'{field}.keep', f'got {keep!r}',
                              'use falling shares in (0, 1), e.g. (0.75, 0.5)')
        if len(keep) >= self.steps:
            raise ConfigError(f'{field}.steps', f'got {self.steps}',
                              'give each stage a step at least')
        object.__setattr__(self, 'keep', tuple(keep))

    def invert(self, ensemble: Ensemble, codecs: Dict[Size, HeatmapCodec],
               grid: Optional[Grid], keypoints: Tensor, labelled: Tensor,
               generator: torch.Generator) -> Inverted:
        """Make images.

        Args:
            ensemble (Ensemble): The models.
            codecs (dict[tuple[int, int], HeatmapCodec]): By level, from high
                to low, the codec of this size; images have the highest.
            grid (tuple[int, int], optional): Patches (H, W) of an image; None
                if the model has none, for dense inversion alone.
            keypoints (Tensor): Poses as shares of the crop, (B, K, 2).
            labelled (Tensor): Whether each keypoint counts, 1 or 0, (B, K).
            generator (torch.Generator): Source of the noise, on the CPU.
        """
        targets = {
            size: encode_batch(
                codec, from_frame(keypoints, size, ensemble.use_udp), labelled)
            for size, codec in codecs.items()
        }
        levels = list(codecs)
        width, height = levels[0]
        images = torch.randn(
            len(keypoints), 3, height, width, generator=generator) * 0.1
        images = images.to(keypoints.device).clamp_(-0.5, 0.5)
        images.requires_grad_()
        grid = grid or (1, 1)
        informative = torch.ones(
            len(images), grid[0] * grid[1], device=images.device) > 0
        stops = {
            math.ceil((index + 1) * self.steps / (len(self.keep) + 1)): share
            for index, share in enumerate(self.keep)
        }
        optimizer = torch.optim.Adam([images], lr=self.lr)
        statistics = NormStatistics(ensemble.models)
        for step in range(self.steps):
            if step in stops:
                informative = self._choose(ensemble, images.detach(),
                                           levels[0], targets[levels[0]][0],
                                           grid, stops[step], informative)
            size = levels[step % len(levels)]
            moved = self._stop(images, informative, grid)
            with statistics.watching() as distances:
                heatmaps = ensemble.heatmaps(to_range(moved), size)
            loss = self._loss(moved, heatmaps, *targets[size], distances)
            optimizer.zero_grad()
            loss.backward()
            before = images.detach().clone()
            optimizer.step()
            with torch.no_grad():
                # Adam's momentum must not go on where it is stopped.
                mask = to_pixels(informative, grid, (height, width))
                images.copy_(images.clamp(-0.5, 0.5).where(mask, before))
        pixels = to_range(images.detach()).round().to(torch.uint8)
        return Inverted(pixels, informative, keypoints, labelled)

    @staticmethod
    def _stop(images: Tensor, informative: Tensor, grid: Grid) -> Tensor:
        """The images, with gradient to informative patches alone."""
        mask = to_pixels(informative, grid, tuple(images.shape[-2:]))
        return images.where(mask, images.detach())

    def _loss(self, images: Tensor, heatmaps: Tensor, targets: Tensor,
              weights: Tensor, distances: List[Tensor]) -> Tensor:
        error = weights[..., None, None] * (heatmaps - targets)
        loss = error.square().mean() + self.tv * total_variation(
            images) + self.l2 * images.square().mean()
        if distances and self.norm:
            loss = loss + self.norm * torch.stack(distances).mean()
        return loss

    @staticmethod
    @torch.no_grad()
    def _choose(ensemble: Ensemble, images: Tensor, size: Size,
                targets: Tensor, grid: Grid, share: float,
                informative: Tensor) -> Tensor:
        """Informative patches, of those that still were."""
        shares, has_peak = pose_on_patches(targets, grid)
        members = ensemble.members(size)
        with last_qkv(members) as found:
            ensemble.heatmaps(to_range(images), size)
        attention = torch.stack([
            attention_to_patches(qkv, model.backbone.layers[-1].attn.num_heads,
                                 shares)
            for qkv, model in zip(found, members)
        ]).mean(0)
        # What has been stopped stays so: it comes last.
        attention = attention.masked_fill(~informative, -1)
        return choose_informative(attention, has_peak & informative, share)


def to_range(images: Tensor) -> Tensor:
    """Images in [-1/2, 1/2] as MMPose has them, in [0, 255]."""
    return (images + 0.5) * 255
