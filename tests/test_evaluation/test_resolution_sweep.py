"""A sweep against MMPose's own evaluation of one size."""

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS, MODELS, DefaultScope
from mmengine.runner import Runner

import mmpose_raf  # noqa: F401
from mmpose_raf.evaluation import ResolutionSweep

METRIC = dict(type='PCKAccuracy', thr=0.3, norm_item='bbox')


@pytest.fixture(autouse=True)
def mmpose_scope():
    with DefaultScope.overwrite_default_scope('mmpose'):
        yield


def dataset(input_size):
    return DATASETS.build(
        dict(
            type='SyntheticPoseDataset',
            num_samples=6,
            image_size=(144, 192),
            test_mode=True,
            pipeline=[
                dict(type='LoadImage'),
                dict(type='GetBBoxCenterScale'),
                dict(
                    type='TopdownAffine', input_size=input_size, use_udp=True),
                dict(type='PackPoseInputs')
            ]))


@pytest.fixture
def model():
    torch.manual_seed(0)
    codec = dict(
        type='UDPHeatmap', input_size=(48, 64), heatmap_size=(12, 16), sigma=1)
    return MODELS.build(
        dict(
            type='TopdownPoseEstimator',
            data_preprocessor=dict(type='PoseDataPreprocessor'),
            backbone=dict(
                type='RAFViT',
                arch=dict(
                    embed_dims=16,
                    num_layers=1,
                    num_heads=2,
                    feedforward_channels=16)),
            head=dict(
                type='AnyResolutionHeatmapHead',
                in_channels=16,
                out_channels=17,
                deconv_out_channels=(8, 8),
                deconv_kernel_sizes=(4, 4),
                loss=dict(type='KeypointMSELoss'),
                decoder=codec))).eval()


def test_each_size_equals_an_evaluation_of_that_size_alone(model):
    sizes = [(48, 64), (96, 128), (64, 64)]
    results = ResolutionSweep(
        dataset((48, 64)), METRIC, batch_size=4).evaluate(model, sizes)
    assert list(results) == sizes
    for size in sizes:
        alone = dataset(size)
        loader = Runner.build_dataloader(
            dict(
                batch_size=1,
                num_workers=0,
                dataset=alone,
                sampler=dict(type='DefaultSampler', shuffle=False)))
        evaluator = Evaluator(METRIC)
        evaluator.dataset_meta = alone.metainfo
        with torch.no_grad():
            for batch in loader:
                evaluator.process(model.val_step(batch), batch)
        assert results[size] == pytest.approx(evaluator.evaluate(6))
    assert any(metrics['PCK'] > 0 for metrics in results.values())


def test_predictions_are_of_the_asked_samples_and_size(model):
    sweep = ResolutionSweep(dataset((48, 64)), METRIC, batch_size=4)
    crops, samples = sweep.predict(model, (96, 128), [4, 1])
    assert [tuple(crop.shape) for crop in crops] == [(3, 128, 96)] * 2
    assert [sample.id for sample in samples] == [
        sweep.dataset.get_data_info(index)['id'] for index in (4, 1)
    ]
