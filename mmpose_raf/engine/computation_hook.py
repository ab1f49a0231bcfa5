"""What the training costs, whatever the machine."""

from typing import Dict, Sequence, Union

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.training_log import MEGAPIXELS
from .round_loop import unwrapped_model


@HOOKS.register_module()
class ComputationHook(Hook):
    """Logs how many pixels the training has put through the backbone.

    A ViT makes a token of each patch, and a CNN works on each pixel, so that
    trainings of one model at different sizes, with more levels or with a
    teacher, can be compared at the same computation. The attention's share,
    which grows with the square of the tokens, is not in it. Every pass of the
    backbone in training mode counts, all clients' together, since the start
    of the run. Logs ``federation/megapixels`` at the end of each round, or
    epoch.

    Raises:
        ConfigError: When the training begins, with ``model.torch_compile``:
            a compiled backbone calls no hooks that it has not seen.
    """

    def before_train(self, runner):
        """Read where an earlier part of the run has stopped."""
        if getattr(unwrapped_model(runner), 'compiled_losses', None):
            raise ConfigError('custom_hooks',
                              'ComputationHook cannot see a compiled backbone',
                              'leave it out, or set model.torch_compile=False')
        # MMEngine keeps it in checkpoints.
        self._total = runner.message_hub.runtime_info.get('megapixels', 0.)
        self._new = 0
        self._handles: Dict[nn.Module, RemovableHandle] = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        """Watch the backbone; clients may train models of their own."""
        backbone = unwrapped_model(runner).backbone
        if backbone not in self._handles:
            self._handles[backbone] = backbone.register_forward_pre_hook(
                self._count)

    def _count(self, backbone: nn.Module, args: tuple):
        """Count the pixels of images (B, 3, H, W), or of a list of them."""
        images: Union[Tensor, Sequence[Tensor]] = args[0]
        if not backbone.training:
            return
        for level in [images] if isinstance(images, Tensor) else images:
            self._new += level.shape[0] * level.shape[2] * level.shape[3]

    def after_train_epoch(self, runner):
        """Log the sum over all processes."""
        new = torch.tensor(self._new, dtype=torch.float64)
        all_reduce(new)
        self._total += new.item() / 1e6
        self._new = 0
        runner.message_hub.update_info('megapixels', self._total)
        runner.visualizer.add_scalar(MEGAPIXELS,
                                     self._total,
                                     step=runner.epoch + 1)

    def after_train(self, runner):
        """Let go of the backbones."""
        for handle in self._handles.values():
            handle.remove()
