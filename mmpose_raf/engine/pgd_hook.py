"""Evaluation on images that are changed against the model."""

from typing import Sequence

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmpose_raf.attacks.pgd import PGD, images_of
from mmpose_raf.errors import ConfigError
from mmpose_raf.models import RAFPoseEstimator
from .multi_resolution_loops import MultiResolutionLoop
from .round_loop import unwrapped_model


@HOOKS.register_module()
class PGDHook(Hook):
    """Shows validation and test images that PGD has changed against the model
    that is evaluated, see :class:`PGD`: metrics are then those under attack.

    The loss that the images are to raise needs the labels of the crop: in
    the pipeline of evaluation, ``PackPoseInputs(pack_transformed=True)`` for
    :class:`RAFPoseEstimator`, ``GenerateTarget`` as in training for another
    model. It works in MMEngine's own loops, which show one size.

    Args:
        eps (float): How far a value of a pixel may move, of 255, > 0.
            Defaults to 4.
        step_size (float): Length of a step in the same unit, > 0. Defaults
            to 1.
        steps (int): Steps, >= 1. Defaults to 10.

    Raises:
        ConfigError: If the loop or the pipeline does not fit.
    """

    def __init__(self,
                 eps: float = 4.,
                 step_size: float = 1.,
                 steps: int = 10):
        self.pgd = PGD(eps, step_size, steps)

    def before_val_epoch(self, runner):
        """Refuse a loop of many sizes."""
        self._check(runner.val_loop, 'val_cfg')

    def before_test_epoch(self, runner):
        """Refuse a loop of many sizes."""
        self._check(runner.test_loop, 'test_cfg')

    def before_val_iter(self, runner, batch_idx: int, data_batch: dict):
        """Change the images of a batch."""
        self._attack(runner, data_batch, 'val_dataloader')

    def before_test_iter(self, runner, batch_idx: int, data_batch: dict):
        """Change the images of a batch."""
        self._attack(runner, data_batch, 'test_dataloader')

    @staticmethod
    def _check(loop, field: str):
        if isinstance(loop, MultiResolutionLoop):
            raise ConfigError(field, 'PGDHook would change one of its sizes',
                              f"use MMEngine's own loop, {field}=dict()")

    def _attack(self, runner, data_batch: dict, field: str):
        model = unwrapped_model(runner)
        samples: Sequence = data_batch['data_samples']
        # RAF makes the targets itself.
        is_raf = isinstance(model, RAFPoseEstimator)
        has_labels = 'transformed_keypoints' in samples[0].gt_instances \
            if is_raf else 'gt_fields' in samples[0]
        if not has_labels:
            raise ConfigError(
                f'{field}.dataset.pipeline',
                'PGDHook needs the labels of the crop',
                'set PackPoseInputs(pack_transformed=True)'
                if is_raf else 'add GenerateTarget')
        data_batch['inputs'] = self.pgd.attack(
            model, images_of(data_batch, model), samples)
