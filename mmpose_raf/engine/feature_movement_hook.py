"""How far training moves the backbone's features."""

import copy
from typing import Optional

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import DATASETS, HOOKS
from mmpose.datasets.transforms import TopdownAffine
from torch import Tensor

from mmpose_raf.datasets.seeding import seeded
from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.features import (crop_persons, evaluating,
                                            feature_map)
from mmpose_raf.sizes import Size, size_name
from .federation_settings import FederationSettings

KEY = 'feature_movement'


@HOOKS.register_module()
class FeatureMovementHook(Hook):
    """Logs how far the features of a fixed batch have moved.

    RAF's proof of convergence (arXiv 2507.23461) assumes lazy training, in
    which features stop moving (Chizat et al., NeurIPS 2019). Whether a run
    is near that is measured on the first persons of the validation data, at
    the highest size of training, with the weights at the end of a round (the
    global ones of a federation, else those of the epoch). Two relative
    movements of the feature map f_t go to the log and to the visualisation
    backends: ``features/moved``, ||f_t - f_{t-1}|| / ||f_{t-1}||, since the
    measurement before, and ``features/from_start``, ||f_t - f_0|| / ||f_0||,
    since the start of training.

    Training is not changed: weights, buffers, modes and random states stay
    as they are. Both maps compared with are kept in the checkpoints, in
    float32, so that a resumed run logs what the uninterrupted one would.

    Args:
        num_samples (int): Persons in the batch; all of the data if it has
            fewer. Defaults to 32.
        interval (int): Rounds (epochs) from one measurement to the next.
            Defaults to 1.

    Raises:
        ConfigError: If an argument, or what the runner holds, does not fit.
    """

    # After the aggregation, before CheckpointHook saves what is kept.
    priority = 'LOW'

    def __init__(self, num_samples: int = 32, interval: int = 1):
        _check_positive(num_samples, 'num_samples')
        _check_positive(interval, 'interval')
        self.num_samples = num_samples
        self.interval = interval
        self._resumed: Optional[dict] = None

    def after_load_checkpoint(self, runner, checkpoint: dict):
        """Take the features out of a checkpoint to resume."""
        if runner._resume:
            self._resumed = checkpoint.get(KEY)
            if self._resumed is None:
                runner.logger.warning(
                    'The checkpoint was saved without FeatureMovementHook: '
                    'features/from_start counts from here')

    def before_train(self, runner):
        """Crop the persons and take their features at the start."""
        if not runner.cfg.get('val_dataloader'):
            raise ConfigError('val_dataloader', 'it is missing',
                              'FeatureMovementHook takes its persons from it')
        self._model = (
            runner.model.module
            if is_model_wrapper(runner.model) else runner.model)
        size = _highest_size(runner)
        # The pipeline of the user may draw numbers, as may the dataset.
        with seeded(0):
            dataset = DATASETS.build(
                copy.deepcopy(runner.cfg.val_dataloader.dataset))
            count = min(self.num_samples, len(dataset))
            self._batch = crop_persons(dataset, range(count), size)
        self._probe = f'{count} persons at {size_name(size)}'
        if self._resumed is None:
            self._start = self._previous = self._extract()
            return
        if self._resumed['probe'] != self._probe:
            raise ConfigError(
                'FeatureMovementHook', f'the checkpoint measured '
                f'{self._resumed["probe"]}, not {self._probe}',
                'resume with the same settings and data')
        # A checkpoint is loaded to the model's device.
        self._start = self._resumed['start'].cpu()
        self._previous = self._resumed['previous'].cpu()
        self._resumed = None

    def _extract(self) -> Tensor:
        """The batch's features, on the CPU."""
        with evaluating(self._model):
            return feature_map(self._model, self._batch)[0].cpu()

    def after_train_epoch(self, runner):
        """Measure."""
        if not self.every_n_epochs(runner, self.interval):
            return
        features = self._extract()
        moved = _relative_movement(self._previous, features)
        from_start = _relative_movement(self._start, features)
        self._previous = features
        round_ = runner.epoch + 1
        runner.logger.info(
            f'Features after round [{round_}/{runner.max_epochs}]: moved by '
            f'{moved:.6g} since the last measurement, {from_start:.6g} since '
            'the start (relative)')
        runner.visualizer.add_scalars(
            {
                'features/moved': moved,
                'features/from_start': from_start
            },
            step=round_)

    def before_save_checkpoint(self, runner, checkpoint: dict):
        """Add what the next measurements compare with."""
        checkpoint[KEY] = dict(
            probe=self._probe,
            start=self._start,
            previous=self._previous)


def _relative_movement(source: Tensor, target: Tensor) -> float:
    """||target - source|| / ||source||."""
    norm = torch.linalg.vector_norm
    source, target = source.double(), target.double()
    return (norm(target - source) / norm(source)).item()


def _highest_size(runner) -> Size:
    """The highest size (w, h) at which a runner trains."""
    federation = FederationSettings.of_config(runner.cfg)
    if federation is not None:
        sizes = [client.input_size for client in federation.clients]
    else:
        pipeline = getattr(runner.train_dataloader.dataset, 'pipeline', None)
        sizes = [
            step.input_size for step in getattr(pipeline, 'transforms', ())
            if isinstance(step, TopdownAffine)
        ]
    if not sizes:
        raise ConfigError('train_dataloader.dataset.pipeline',
                          'it has no TopdownAffine',
                          'FeatureMovementHook needs a top-down pipeline')
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return width, height


def _check_positive(value, name: str):
    is_int = isinstance(value, int) and not isinstance(value, bool)
    if not is_int or value < 1:
        raise ConfigError(f'FeatureMovementHook.{name}', f'got {value!r}',
                          'use an integer of at least 1')
