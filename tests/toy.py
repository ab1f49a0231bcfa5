"""A federation that is small but whole: data, model, config and runs.

Images, boxes and keypoints are drawn at random but are the same each time.
Everything else is MMEngine's and MMPose's own: a real pipeline, a real model,
a real Runner.
"""

import copy
import itertools
import os
from unittest import mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS, METRICS, init_default_scope
from mmengine.runner import Runner
from mmpose.datasets.datasets.base import BaseCocoStyleDataset

import mmpose_raf  # noqa: F401  registers everything

METAINFO = dict(dataset_name='toy',
                paper_info=dict(),
                keypoint_info={
                    0:
                    dict(name='left',
                         id=0,
                         color=[0, 0, 0],
                         type='',
                         swap='right'),
                    1:
                    dict(name='right',
                         id=1,
                         color=[0, 0, 0],
                         type='',
                         swap='left'),
                    2:
                    dict(name='top', id=2, color=[0, 0, 0], type='', swap='')
                },
                skeleton_info=dict(),
                joint_weights=[1.] * 3,
                sigmas=[.05] * 3)
# (w, h) in pixels.
SIZES = dict(high=(48, 64), mid=(32, 48), low=(16, 32))
# With the usual eps of 1e-8 the rounding of a gradient that is all but zero
# would become a step of full length.
OPTIMIZER = dict(type='AdamW', lr=1e-2, weight_decay=.1, eps=1e-4)
CODEC = dict(type='UDPHeatmap',
             input_size=(48, 64),
             heatmap_size=(12, 16),
             sigma=2)


@DATASETS.register_module(force=True)
class ToyDataset(BaseCocoStyleDataset):
    """Persons of random places and sizes in images of noise.

    Args:
        num_samples (int): Number of samples.
        first (int): Number of the first sample, so that datasets differ.
    """

    METAINFO = METAINFO

    def __init__(self, num_samples=11, first=0, **kwargs):
        self.num_samples = num_samples
        self.first = first
        # It would collect the garbage of the whole test session each time.
        super().__init__(serialize_data=False, **kwargs)

    def _load_annotations(self):
        return [], []

    def load_data_list(self):
        return [
            self._draw(self.first + index) for index in range(self.num_samples)
        ]

    def _draw(self, number):
        rng = np.random.default_rng(number)
        corner = rng.uniform(0, 20, 2)
        size = rng.uniform(20, 60, 2)
        keypoints = corner + size * rng.uniform(.1, .9, (1, 3, 2))
        return dict(img=rng.integers(256, size=(90, 80, 3), dtype=np.uint8),
                    img_path=f'{number}.jpg',
                    img_id=number,
                    id=number,
                    bbox=np.concatenate([corner,
                                         corner + size])[None].astype('f4'),
                    bbox_score=np.ones(1, dtype='f4'),
                    num_keypoints=3,
                    keypoints=keypoints.astype('f4'),
                    keypoints_visible=np.ones((1, 3), dtype='f4'),
                    category_id=1)


@METRICS.register_module(force=True)
class ToyMetric(BaseMetric):
    """The mean score of the keypoints: a number that depends on the model."""

    def process(self, data_batch, data_samples):
        self.results += [
            float(sample['pred_instances']['keypoint_scores'].mean())
            for sample in data_samples
        ]

    def compute_metrics(self, results):
        return dict(score=float(np.mean(results)))


@HOOKS.register_module(force=True)
class Witness(Hook):
    """Writes down what the other hooks of a run see.

    Attributes:
        first (dict): Weights before the first round.
        iterations (list[dict]): Of each iteration the client, its learning
            rates when it trains, the logged one, and where the run counts.
        rounds (list[dict]): Weights after each round.
        losses (list[float]): Loss of each iteration.
    """

    priority = 'LOW'

    def __init__(self):
        self.iterations, self.rounds, self.losses = [], [], []

    def before_train(self, runner):
        self.first = weights_of(runner)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        groups = runner.optim_wrapper.optimizer.param_groups
        self.iterations.append(
            dict(round=runner.epoch,
                 client=getattr(data_batch['data_samples'][0], 'client', None),
                 samples=[s.img_id for s in data_batch['data_samples']],
                 lr=[group['lr'] for group in groups],
                 logged_lr=runner.message_hub.get_scalar('train/lr').current(),
                 iter=runner.iter,
                 batch_idx=batch_idx,
                 num_batches=len(runner.train_dataloader)))

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        self.losses.append(outputs['loss'].item())

    def after_train_epoch(self, runner):
        self.rounds.append(weights_of(runner))


@HOOKS.register_module(force=True)
class Interrupt(Hook):
    """Breaks a run off in the middle of a round, like a crash.

    Args:
        round_ (int): The round, counted from 0.
    """

    def __init__(self, round_):
        self.round = round_

    def after_train_iter(self, runner, batch_idx, **kwargs):
        if runner.epoch == self.round and batch_idx == 1:
            raise KeyboardInterrupt


def weights_of(runner):
    """A copy of all weights and buffers of a runner's model."""
    model = getattr(runner.model, 'module', runner.model)
    return copy.deepcopy(model.state_dict())


def toy_clients(*names):
    return [dict(name=name, input_size=SIZES[name]) for name in names]


def toy_pipeline(size=SIZES['high'], augmented=True, codec=None):
    """MMPose's top-down pipeline at a size (w, h)."""
    augmentations = [
        dict(type='RandomFlip', direction='horizontal'),
        dict(type='RandomBBoxTransform'),
        dict(type='PhotometricDistortion')
    ] if augmented else []
    targets = [dict(type='GenerateTarget', encoder=codec)] if codec else []
    return [
        dict(type='LoadImage'),
        dict(type='GetBBoxCenterScale'), *augmentations,
        dict(type='TopdownAffine', input_size=size, use_udp=True), *targets,
        dict(type='PackPoseInputs', pack_transformed=True)
    ]


def toy_dataset(num_samples=11, first=0, **pipeline):
    return dict(type='ToyDataset',
                num_samples=num_samples,
                first=first,
                pipeline=toy_pipeline(**pipeline))


def toy_model(raf=True, drop_path_rate=0.):
    """A tiny ViT with a deconvolution head, which has BatchNorm."""
    ladder = dict(ladder=list(SIZES.values())) if raf else {}
    return dict(type='RAFPoseEstimator' if raf else 'TopdownPoseEstimator',
                **ladder,
                data_preprocessor=dict(type='PoseDataPreprocessor',
                                       mean=[123.675, 116.28, 103.53],
                                       std=[58.395, 57.12, 57.375],
                                       bgr_to_rgb=True),
                backbone=dict(type='RAFViT',
                              arch=dict(embed_dims=16,
                                        num_layers=2,
                                        num_heads=2,
                                        feedforward_channels=32),
                              drop_path_rate=drop_path_rate),
                head=dict(type='AnyResolutionHeatmapHead',
                          in_channels=16,
                          out_channels=3,
                          deconv_out_channels=(8, 8),
                          deconv_kernel_sizes=(4, 4),
                          loss=dict(type='KeypointMSELoss',
                                    use_target_weight=True),
                          decoder=dict(CODEC)))


def toy_config(work_dir,
               clients=('high', 'low'),
               rounds=2,
               num_samples=11,
               batch_size=3,
               num_workers=0,
               raf=True,
               augmented=True,
               drop_path_rate=0.,
               optim_wrapper=None,
               param_scheduler=None,
               hooks=(),
               val=False,
               seed=0,
               **federation):
    """Config of a federated run that takes a fraction of a second a round.

    Args:
        work_dir (Path): Where the run writes.
        clients (tuple): Names of ``SIZES``, or configs of clients.
        hooks (tuple): Custom hooks beside the federation.
        val (bool): Whether it is validated after each round.
        seed (int): Seed of the first weights and of the federation.
        **federation: Further arguments of ``FederatedHook``.
    """
    if all(isinstance(client, str) for client in clients):
        clients = toy_clients(*clients)
    codec = None if raf else dict(CODEC)
    cfg = dict(
        default_scope='mmpose',
        custom_imports=dict(imports=['mmpose_raf']),
        # MessageHub and Visualizer are found by this name, and the time stamp
        # that MMEngine adds counts in seconds.
        experiment_name=f'toy_{os.getpid()}_{next(_numbers)}',
        work_dir=str(work_dir),
        log_level='INFO',
        randomness=dict(seed=seed),
        env_cfg=dict(dist_cfg=dict(backend='gloo')),
        visualizer=dict(type='Visualizer',
                        vis_backends=[dict(type='LocalVisBackend')]),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1),
                           checkpoint=dict(type='CheckpointHook', interval=1)),
        custom_hooks=[
            dict(type='FederatedHook', clients=list(clients), **federation),
            *hooks
        ],
        model=toy_model(raf, drop_path_rate),
        train_dataloader=dict(batch_size=batch_size,
                              num_workers=num_workers,
                              sampler=dict(type='DefaultSampler',
                                           shuffle=True),
                              dataset=toy_dataset(num_samples,
                                                  augmented=augmented,
                                                  codec=codec)),
        train_cfg=dict(by_epoch=True, max_epochs=rounds),
        optim_wrapper=optim_wrapper or dict(optimizer=dict(OPTIMIZER)))
    if param_scheduler is not None:
        cfg['param_scheduler'] = param_scheduler
    if val:
        cfg.update(val_cfg=dict(),
                   val_evaluator=dict(type='ToyMetric'),
                   val_dataloader=dict(batch_size=4,
                                       num_workers=0,
                                       sampler=dict(type='DefaultSampler',
                                                    shuffle=False),
                                       dataset=dict(toy_dataset(
                                           4, first=100, augmented=False),
                                                    test_mode=True)))
    # Formatting the config, once a checkpoint, takes longer than a round.
    return Config(cfg, format_python_code=False)


def run(cfg, device='cpu', **options):
    """Train a config; return the runner.

    Args:
        cfg (Config): The config.
        device (str): Where to; the CPU, whose results are exact, also on a
            machine with a GPU.
        **options: Fields to set, e.g. ``resume``.
    """
    cfg = copy.deepcopy(cfg)
    cfg.merge_from_dict(options)
    cfg.experiment_name = f'toy_{os.getpid()}_{next(_numbers)}'
    with mock.patch('mmengine.runner.runner.get_device', lambda: device):
        runner = Runner.from_cfg(cfg)
        runner.train()
    return runner


def hook_of(runner, cls):
    """The one hook of a class that a runner has."""
    hook, = [hook for hook in runner.hooks if isinstance(hook, cls)]
    return hook


def client_states(runner):
    """What each client of a federation keeps, as plain values."""
    return [state.state_dict() for state in runner.train_loop.states]


def assert_states_equal(first, second):
    """Fail unless two (nested) states are equal to the last bit."""
    assert type(first) is type(second)
    if isinstance(first, dict):
        assert list(first) == list(second)
        for key in first:
            assert_states_equal(first[key], second[key])
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second)
        for one, other in zip(first, second):
            assert_states_equal(one, other)
    elif isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype
        assert torch.equal(first, second)
    else:
        assert first == second


_numbers = itertools.count()
# For datasets that are built without a runner.
init_default_scope('mmpose')
# The matrices are so small that a second thread only waits for the first.
torch.set_num_threads(1)


def run_broken_off(tmp_path, **options):
    """A run, and the same, broken off in round 2 and resumed; they agree.

    Returns:
        Runner: That of the run which was not broken off.
    """
    whole = run(toy_config(tmp_path / 'whole', **options))
    with pytest.raises(KeyboardInterrupt):
        run(toy_config(tmp_path / 'broken',
                       hooks=[dict(type='Interrupt', round_=2)], **options))
    resumed = run(toy_config(tmp_path / 'broken', **options), resume=True)
    assert_states_equal(dict(weights_of(whole)), dict(weights_of(resumed)))
    assert_states_equal(client_states(whole), client_states(resumed))
    return whole
