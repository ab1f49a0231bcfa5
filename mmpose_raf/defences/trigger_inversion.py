"""Training on images with a trigger that was found in the model."""

import math
from typing import Dict, List, Tuple

import torch
from torch import Tensor, nn

from mmpose_raf.attacks.arguments import check_share
from mmpose_raf.attacks.pgd import images_of
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation.arguments import (check_count, check_not_negative,
                                             check_positive)
from mmpose_raf.models.batch_keypoints import gather_keypoints
from mmpose_raf.models.codecs import check_codec, is_udp, resize_codec
from mmpose_raf.models.evaluation_mode import in_evaluation_mode
from mmpose_raf.models.heatmap_targets import encode_batch
from mmpose_raf.models.image_heatmaps import heatmaps_of
from mmpose_raf.registry import LOCAL_DEFENCES
from mmpose_raf.sizes import size_of
from .base import Hardening, LocalDefence
from .trigger import Trigger

#: To the right, and on by an eighth of a turn each.
DIRECTIONS = [(math.cos(i * math.pi / 4), math.sin(i * math.pi / 4))
              for i in range(8)]


@LOCAL_DEFENCES.register_module()
class TriggerInversion(LocalDefence):
    """FLIP (Zhang et al., ICLR 2023, arXiv 2210.12873) for heatmaps: honest
    clients look for a trigger in the model and train against it.

    A classifier's backdoor ends in a target class. That of a pose estimator
    moves a joint k to another place, of which the client knows neither. Here
    the candidates are all joints and eight directions d, ``distance`` of the
    crop long: label T_kd is the heatmap of joint k at its place moved by d.
    How far a trigger has brought the model P towards a candidate is

        g_kd = mean_x (||P_k(x) - T_kd||^2 - ||P_k(x') - T_kd||^2) / ||T||^2

    over the persons x of the batch whose joint is labelled and stays in the
    crop; 2 if the joint has gone there, 0 if nothing has happened. With x'
    as in :class:`Trigger` the client minimises

        -tau log sum_kd exp(g_kd / tau) + mask_weight mean(m),

    which first goes after all candidates and then after the one that gives
    way: FLIP's warm-up over all pairs of classes, in one search. Before each
    batch it takes some steps of Adam; the batch is then trained on with the
    trigger on a share of the images and the right labels. The search begins
    anew in each visit.

    FLIP also refuses predictions of low confidence at inference: that is
    what ``keypoint_scores`` are for. Its hyperparameters could not be
    checked in the paper, and this loss for heatmaps is not in it.

    Args:
        distance (float): How far joints are thought to be moved, as a share
            of the crop's width and height, in (0, 1]. Defaults to 0.2.
        steps (int): Steps of the search for each batch, >= 1; each costs a
            forward and a backward pass of the batch. Defaults to 2.
        share (float): Share of each batch that gets the trigger, in (0, 1],
            of whole images, rounded up. Defaults to 0.5.
        lr (float): Adam's learning rate of the search, > 0. Defaults to 0.3.
        mask_weight (float): Weight of the mask's mean, >= 0. Defaults to 1.
        tau (float): How soon one candidate is singled out, > 0; the smaller
            the sooner. Defaults to 0.1.
    """

    def __init__(self,
                 distance: float = 0.2,
                 steps: int = 2,
                 share: float = 0.5,
                 lr: float = 0.3,
                 mask_weight: float = 1.,
                 tau: float = 0.1):
        check_share(distance, 'distance')
        check_count(steps, 'steps')
        check_share(share, 'share')
        check_positive(lr, 'lr')
        check_not_negative(mask_weight, 'mask_weight')
        check_positive(tau, 'tau')
        self.distance = distance
        self.steps = steps
        self.share = share
        self.lr = lr
        self.mask_weight = mask_weight
        self.tau = tau

    def check(self, model: nn.Module):
        """Refuse a model without heatmaps, see :class:`LocalDefence`."""
        head = getattr(model, 'head', None)
        if not hasattr(head, 'decoder'):
            raise ConfigError('federation.local_defence',
                              'TriggerInversion looks at heatmaps',
                              'use a HeatmapHead')
        check_codec(head.decoder, 'model.head.decoder')

    def start(self, model: nn.Module) -> Hardening:
        """See :class:`LocalDefence`."""
        triggers: Dict[Tuple[int, int], Trigger] = {}

        def harden(batch: dict) -> dict:
            images = images_of(batch, model)
            size = size_of(images)
            if size not in triggers:
                triggers[size] = Trigger(images, self.lr)
            trigger = triggers[size]
            self.search(model, trigger, images, batch['data_samples'])
            count = math.ceil(self.share * len(images))
            with torch.no_grad():
                stamped = trigger.stamp(images[:count])
            return dict(batch, inputs=torch.cat((stamped, images[count:])))

        return harden

    def search(self, model: nn.Module, trigger: Trigger, images: Tensor,
               data_samples: List):
        """Improve a trigger.

        Args:
            model (nn.Module): The model, not wrapped; it is not changed.
            trigger (Trigger): Of the images' size; it is.
            images (Tensor): In shape (B, 3, H, W), in [0, 255].
            data_samples (list[:obj:`PoseDataSample`]): Their labels.
        """
        targets, counts = self._candidates(model, images, data_samples)
        with in_evaluation_mode(model), torch.enable_grad():
            with torch.no_grad():
                before = heatmaps_of(model, images)
            for _ in range(self.steps):
                gains = gains_of(before,
                                 heatmaps_of(model, trigger.stamp(images)),
                                 targets, counts)
                loss = -self.tau * (gains / self.tau).logsumexp((0, 1))
                trigger.descend(loss + self.mask_weight * trigger.mask.mean())

    def _candidates(self, model: nn.Module, images: Tensor,
                    data_samples: List) -> Tuple[Tensor, Tensor]:
        """T_kd in shape (B, 8, K, H, W), and in shape (B, 8, K) whether it
        counts."""
        codec = resize_codec(model.head.decoder, size_of(images),
                             getattr(model.head, 'sigma_mode', 'pixel'))
        keypoints, visible, _ = gather_keypoints(data_samples, images.device)
        border = int(is_udp(codec))
        shifts = self.distance * keypoints.new_tensor(
            DIRECTIONS) * keypoints.new_tensor(
                [side - border for side in size_of(images)])
        moved = keypoints[:, None] + shifts[:, None]
        visible = visible[:, None].expand(moved.shape[:3])
        heatmaps, weights = encode_batch(codec, moved.flatten(0, 1),
                                         visible.flatten(0, 1))
        shape = moved.shape[:3]
        return heatmaps.unflatten(0, shape[:2]), (weights.view(shape)
                                                  >= 0.5).float()


def gains_of(before: Tensor, after: Tensor, targets: Tensor,
             counts: Tensor) -> Tensor:
    """g_kd of :class:`TriggerInversion`.

    Args:
        before (Tensor): P_k(x), in shape (B, K, H, W).
        after (Tensor): P_k(x'), likewise.
        targets (Tensor): T_kd, in shape (B, D, K, H, W).
        counts (Tensor): 1 where it counts, else 0, in shape (B, D, K).

    Returns:
        Tensor: In shape (D, K); 0 where nothing counts.
    """
    # ||p - t||^2 - ||q - t||^2 = ||p||^2 - ||q||^2 + 2 <q - p, t>, which
    # needs no difference with each candidate.
    energy = (before.square() - after.square()).sum((2, 3))[:, None]
    cross = torch.einsum('bkhw,bdkhw->bdk', after - before, targets)
    scale = (counts * targets.square().sum((3, 4))).sum(0)
    gains = (counts * (energy + 2 * cross)).sum(0)
    return gains / scale.clamp(min=torch.finfo(scale.dtype).tiny)
