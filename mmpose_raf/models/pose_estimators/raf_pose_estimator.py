"""Top-down pose estimator that trains on the ladder."""

import logging
from typing import Iterator, List, Optional, Sequence, Union

import torch
from mmengine.logging import print_log
from mmpose.registry import MODELS
from mmpose.utils.typing import ConfigType, SampleList
from torch import Tensor

from mmpose_raf.errors import ConfigError, check_choice
from mmpose_raf.models.backbones import RAFViT
from mmpose_raf.models.batch_keypoints import gather_keypoints
from mmpose_raf.models.codecs import resize_codec
from mmpose_raf.models.compiled_function import CompiledFunction
from mmpose_raf.models.early_backward import EarlyBackward
from mmpose_raf.models.heatmap_accuracy import heatmap_accuracy
from mmpose_raf.models.heatmap_targets import encode_batch
from mmpose_raf.models.ladder import (LEVEL_WEIGHTS, Level, levels_of,
                                      resample, resize_keypoints,
                                      split_batch, weigh_levels)
from mmpose_raf.models.pretrained import (is_pretrained,
                                          load_pretrained_estimator)
from mmpose_raf.sizes import Size, size_name, size_of
from .ladder_prediction import LadderPrediction

LEVELS = ('all', 'split', 'one')
PASSES = ('joint', 'in_turn')


@MODELS.register_module()
class RAFPoseEstimator(LadderPrediction):
    """Resolution-adaptive training of a top-down pose estimator.

    A batch is trained at its own (the client's native) size and at all lower
    sizes of the ladder, with distillation between the levels (RAF, arXiv
    2507.23461): L = sum_l w_l (task_l + alpha kd_l), where the weights w_l
    add up to 1. The task loss is the head's loss module; targets of all
    levels are made on the device from the keypoints, which the pipeline must
    pack: ``PackPoseInputs(pack_transformed=True)``. Backbone and neck may be
    any of MMPose, the head any ``HeatmapHead``.

    Args:
        ladder (list[tuple[int, int]]): Input sizes (w, h) in pixels, e.g.
            ``[(192, 256), (144, 192), (96, 128)]``. An empty one trains at
            the native size alone.
        distill (dict, optional): Config of the distillation loss, by default
            ``dict(type='MultiResolutionDistillLoss')``. None trains on the
            ladder without distillation.
        level_weights (str): ``'uniform'``, 1 / n each, as published;
            ``'area'``, in proportion to the level's pixels, so that the
            many levels that fit below a high one do not outweigh it; or
            ``'inverse_area'``, so that levels of which one is drawn get
            equal computation, and a batch costs less. Defaults to
            ``'uniform'``.
        levels (str): ``'all'`` of them for every sample, as published;
            ``'one'`` for a batch, drawn with the probability w_l; or
            ``'split'``, the batch shared out among them in proportion to
            w_l. The task loss is the same in the mean, and the last two
            cost as much as training without a ladder. Distillation compares
            the levels of a sample and thus needs ``'all'``. Defaults to
            ``'all'``.
        upward (bool): Whether the ladder's levels above the native size are
            trained as well, on the enlarged image; as published, they are
            not. Defaults to False.
        passes (str): ``'joint'``, one backward pass for all levels, which
            also go through the backbone together if it takes them so
            (:class:`RAFViT` does), or else one by one; or ``'in_turn'``,
            forward and backward of one level after the other, which needs
            the memory of the highest alone. The losses are the same.
            Defaults to ``'joint'``.
        torch_compile (bool | dict): Whether training computes the losses of
            a batch, from the images on, with ``torch.compile``; a dict has
            its arguments, such as ``dict(mode='max-autotune')``. A client's
            size is compiled at its first batch, which takes a while, and
            then serves all rounds, clients and batches of this size, see
            :class:`CompiledFunction`. Not with ``passes='in_turn'``, nor
            with torch before 2.5. Defaults to False.
        **kwargs: As in :class:`LadderPrediction`. ``init_cfg`` may name a
            file of a ViT for a model with :class:`RAFViT`, see
            :func:`load_pretrained_estimator`.

    Raises:
        ConfigError: If ladder, head or codec do not fit.
    """

    def __init__(self,
                 *,
                 ladder: Sequence[Size],
                 distill: Optional[ConfigType] = dict(
                     type='MultiResolutionDistillLoss'),
                 level_weights: str = 'uniform',
                 levels: str = 'all',
                 upward: bool = False,
                 passes: str = 'joint',
                 torch_compile: Union[bool, dict] = False,
                 **kwargs):
        super().__init__(ladder=ladder, **kwargs)
        self.level_weights = check_choice(level_weights, LEVEL_WEIGHTS,
                                          'model.level_weights')
        self.upward = upward
        self.passes = check_choice(passes, PASSES, 'model.passes')
        self.levels = check_choice(levels, LEVELS, 'model.levels')
        if levels != 'all' and distill:
            raise ConfigError('model.distill',
                              'a sample trained at one level has no teacher',
                              "use distill=None, or levels='all'")
        self.distill_loss = MODELS.build(distill) if distill else None
        self._tells_passes = passes == 'joint' and not self.takes_levels
        self.compiled_losses = None
        if torch_compile is not False:
            self.compiled_losses = CompiledFunction(self._losses,
                                                    torch_compile,
                                                    'model.torch_compile')
            if passes == 'in_turn':
                raise ConfigError(
                    'model.torch_compile',
                    "passes='in_turn' computes gradients within the loss",
                    "use passes='joint', or torch_compile=False")

    def init_weights(self):
        """Initialise, and load the weights that ``init_cfg`` names."""
        if self.is_init or not (is_pretrained(self.init_cfg)
                                and isinstance(self.backbone, RAFViT)):
            super().init_weights()
            return
        # MMEngine would look for a file with the very names of this model.
        pretrained, self.init_cfg = self.init_cfg, None
        super().init_weights()
        self.init_cfg = pretrained
        load_pretrained_estimator(self, pretrained['checkpoint'],
                                  pretrained.get('pos_embed_grid'))

    @property
    def sigma_mode(self) -> str:
        """str: The head's; a stock ``HeatmapHead`` has sigma in pixels."""
        return getattr(self.head, 'sigma_mode', 'pixel')

    @property
    def takes_levels(self) -> bool:
        """bool: Whether several levels can go through in one pass."""
        # A subclass that extracts features in its own way does so always.
        is_plain = type(self).extract_feat is RAFPoseEstimator.extract_feat
        return is_plain and getattr(self.backbone, 'takes_levels', False)

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict:
        """Calculate the losses of a batch on all its levels.

        Args:
            inputs (Tensor): Images in shape (B, 3, H, W) at the native size.
            data_samples (list[:obj:`PoseDataSample`]): Annotations, whose
                ``gt_instances`` hold ``transformed_keypoints`` in the
                input's pixels.

        Returns:
            dict: ``loss_kpt`` and ``loss_kd``, the two sums of RAF's loss;
            ``task_{H}x{W}`` and ``kd_{H}x{W}``, each level's terms as they
            are, for the log; ``acc_pose`` of the highest level trained.
        """
        levels = self._choose_levels(size_of(inputs), len(inputs))
        if self._tells_passes and len(levels) > 1:
            self._tells_passes = False
            print_log(
                f'{type(self.backbone).__name__} takes one level of the '
                'ladder at a time: each has a forward pass of its own',
                logger='current',
                level=logging.INFO)
        tensors = (inputs, *gather_keypoints(data_samples, inputs.device))
        is_compiled = self.compiled_losses is not None and self.training
        compute = self.compiled_losses if is_compiled else self._losses
        return compute(tensors, levels)

    def _choose_levels(self, native: Size, batch_size: int) -> List[Level]:
        """Levels of a batch, from high to low, with what is drawn of them."""
        sizes = levels_of(self.ladder, native, self.upward)
        shares = weigh_levels(sizes, self.level_weights)
        parts = [slice(None)] * len(sizes)
        if self.levels == 'one':
            chosen = torch.multinomial(torch.tensor(shares), 1).item()
            sizes, shares = [sizes[chosen]], [1.]
        elif self.levels == 'split':
            parts = split_batch(batch_size, shares, torch.rand(()).item())
            shares = [(part.stop - part.start) / batch_size for part in parts]
        return [
            Level(size, share, resize_codec(self.codec, size, self.sigma_mode),
                  part) for size, share, part in zip(sizes, shares, parts)
            if share > 0
        ]

    def _losses(self, tensors: Sequence[Tensor],
                levels: Sequence[Level]) -> dict:
        """The losses of a batch, computed with tensors alone.

        Args:
            tensors (tuple[Tensor]): Images (B, 3, H, W), keypoints (B, K, 2)
                in their pixels, visibility and weights (B, K).
            levels (list[Level]): The levels, from high to low.

        Returns:
            dict: See :meth:`loss`.
        """
        inputs, keypoints, visible, weights = tensors
        is_distilled = self.distill_loss is not None and len(levels) > 1
        early = None
        # The gradient of the images goes through the whole graph.
        if self.passes == 'in_turn' and torch.is_grad_enabled(
        ) and not inputs.requires_grad:
            early = EarlyBackward(list(self.parameters()))
        heatmaps, losses, task_sum, kd_sum = [], {}, 0, 0
        for level, features in zip(levels,
                                   self._extract_levels(inputs, levels)):
            heatmaps.append(self.head.forward(features))
            targets, drawn = encode_batch(
                level.codec,
                resize_keypoints(keypoints[level.samples], size_of(inputs),
                                 level.size, self.use_udp),
                visible[level.samples])
            level_weights = weights[level.samples] * (drawn > 0)
            task = self.head.loss_module(heatmaps[-1], targets, level_weights)
            losses[f'task_{size_name(level.size)}'] = task.detach()
            part = level.share * task
            task_sum = task_sum + part
            if level is levels[0]:
                highest_weights = level_weights
                losses['acc_pose'] = heatmap_accuracy(
                    heatmaps[0].detach(), targets, level_weights > 0)
            elif is_distilled:
                kd = self.distill_loss.term(heatmaps, highest_weights,
                                            self.use_udp)
                losses[f'kd_{size_name(level.size)}'] = kd.detach()
                part = part + level.share * self.distill_loss.alpha * kd
                kd_sum = kd_sum + level.share * kd
            if early is not None:
                early.add(part)
                # Teachers have no gradient; let the graph go.
                heatmaps[-1] = heatmaps[-1].detach()

        losses['loss_kpt'] = task_sum
        if is_distilled:
            losses['loss_kd'] = self.distill_loss.alpha * kd_sum
        if early is not None:
            losses['loss_kpt'] = early.attach(losses['loss_kpt'])
            if is_distilled:
                losses['loss_kd'] = losses['loss_kd'].detach()
        return losses

    def _extract_levels(self, inputs: Tensor,
                        levels: Sequence[Level]) -> Iterator:
        """Features of each level."""
        native = size_of(inputs)
        images = (
            inputs[level.samples] if level.size == native else resample(
                inputs[level.samples], level.size, self.use_udp)
            for level in levels)
        # A backbone that takes levels together takes the same samples of each.
        is_joint = self.passes == 'joint' and self.levels == 'all'
        if is_joint and self.takes_levels:
            for features in self.backbone(list(images)):
                yield self.neck(features) if self.with_neck else features
        else:
            yield from map(self.extract_feat, images)
