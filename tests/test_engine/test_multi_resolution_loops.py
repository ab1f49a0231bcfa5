"""Loops over many resolutions: every number is known in advance."""

import numpy as np
import pytest
import torch
from mmengine.registry import TRANSFORMS
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmpose.datasets.transforms import LoadImage
from mmpose.registry import MODELS

from mmpose_raf.evaluation import DriftGallery, DriftResult
from mmpose_raf.models import RAFPoseEstimator
from tests.toy import (SIZES, hook_of, toy_config, toy_dataset, toy_model,
                       toy_pipeline)

# Error of the oracle as a share of the longer side of the person's box, by
# input size (w, h); it strikes the first of the three keypoints alone.
ERRORS = {
    (16, 32): .5,
    (32, 48): .2,
    (48, 64): .04,
    (96, 128): .12,
}
PCK = [dict(type='PCKAccuracy', thr=.1), dict(type='EPE')]


@MODELS.register_module(force=True)
class OraclePoseEstimator(RAFPoseEstimator):
    """Reads the annotation and errs as much as it is told to.

    Args:
        errors (list): Pairs of size (w, h) and error.
        **kwargs: As in ``RAFPoseEstimator``.
    """

    def __init__(self, errors, **kwargs):
        super().__init__(**kwargs)
        self.errors = {tuple(size): error for size, error in errors}
        self.seen = []

    def predict(self, inputs, data_samples):
        size = (inputs.shape[3], inputs.shape[2])
        self.seen.append(size)
        for sample in data_samples:
            assert sample.input_size == size
            truth = sample.gt_instances
            keypoints = truth.keypoints.copy()
            keypoints[0, 0, 0] += self.errors[size] * box_side(truth)
            sample.pred_instances = InstanceData(
                keypoints=keypoints,
                keypoint_scores=np.ones(keypoints.shape[:2]),
                bboxes=truth.bboxes,
                bbox_scores=truth.bbox_scores)
        return data_samples


def box_side(truth):
    x1, y1, x2, y2 = truth.bboxes[0]
    return max(x2 - x1, y2 - y1)


@TRANSFORMS.register_module(force=True)
class CountedLoadImage(LoadImage):
    """Counts how often an image is loaded."""

    calls = 0

    def transform(self, results):
        type(self).calls += 1
        return super().transform(results)


def test_config(work_dir,
                model=None,
                metrics=None,
                num_samples=10,
                clients=('high', 'low'),
                federated=True,
                **loop):
    """Config that tests a model at many sizes."""
    cfg = toy_config(work_dir, clients=clients, num_samples=num_samples)
    if model is not None:
        cfg.model = model
    if not federated:
        cfg.custom_hooks = []
    loop.setdefault('type', 'MultiResolutionTestLoop')
    loop.setdefault('input_sizes', list(ERRORS))
    cfg.test_cfg = loop
    cfg.test_evaluator = metrics or PCK
    dataset = dict(toy_dataset(num_samples, first=50, augmented=False),
                   test_mode=True)
    dataset['pipeline'][0] = dict(type='CountedLoadImage')
    cfg.test_dataloader = dict(batch_size=4,
                               num_workers=0,
                               sampler=dict(type='DefaultSampler',
                                            shuffle=False),
                               dataset=dataset)
    return cfg


test_config.__test__ = False


def oracle(**kwargs):
    model = toy_model()
    return dict(model,
                type='OraclePoseEstimator',
                errors=list(ERRORS.items()),
                **kwargs)


def evaluate(cfg):
    """Test a config; return its runner and the metrics."""
    runner = Runner.from_cfg(cfg)
    return runner, runner.test()


def mean_side(runner):
    dataset = runner.test_loop.evaluation.dataset.dataset
    return np.mean([
        max(box[0, 2:] - box[0, :2])
        for box in (dataset.get_data_info(i)['bbox']
                    for i in range(len(dataset)))
    ])


@pytest.fixture(scope='module')
def judged(tmp_path_factory):
    """An oracle that has been tested, with federation."""
    work_dir = tmp_path_factory.mktemp('judged')
    return evaluate(test_config(work_dir, oracle(), num_persons=3))


def test_metrics_of_each_size(judged):
    runner, metrics = judged
    side = mean_side(runner)
    for size, error in ERRORS.items():
        name = f'{size[1]}x{size[0]}'
        expected = 1 if error <= .1 else 2 / 3
        assert metrics[f'{name}/PCK'] == pytest.approx(expected, abs=1e-6)
        assert metrics[f'{name}/EPE'] == pytest.approx(error * side / 3,
                                                       rel=1e-5)


def test_summary(judged):
    _, metrics = judged
    # Trained: 64x48, 48x32 and 32x16, the clients' sizes with their ladder.
    assert metrics['trained/mean'] == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert metrics['trained/worst'] == pytest.approx(2 / 3)
    assert metrics['unseen/mean'] == pytest.approx(2 / 3)
    assert metrics['unseen/worst'] == pytest.approx(2 / 3)
    assert metrics['drift'] == pytest.approx(1 / 3)


def test_summary_of_an_error(tmp_path):
    runner, metrics = evaluate(
        test_config(tmp_path, oracle(), key_metric='EPE',
                    trained_sizes=[(48, 64), (16, 32)]))
    third = mean_side(runner) / 3
    assert metrics['trained/mean'] == pytest.approx(third * .27, rel=1e-5)
    assert metrics['trained/worst'] == pytest.approx(third * .5, rel=1e-5)
    assert metrics['unseen/mean'] == pytest.approx(third * .16, rel=1e-5)
    assert metrics['unseen/worst'] == pytest.approx(third * .2, rel=1e-5)
    assert metrics['drift'] == pytest.approx(third * .46, rel=1e-5)


def test_result_file(judged):
    runner, metrics = judged
    result = DriftResult.load(f'{runner.work_dir}/drift.json')
    assert result.dataset == 'toy'
    assert result.num_samples == 10
    assert (result.key_metric, result.rule) == ('PCK', 'greater')
    assert set(result.trained_sizes) == set(SIZES.values())
    assert result.keypoint_names == ['left', 'right', 'top']
    assert [found.view.input_size for found in result.views] == list(ERRORS)
    for found in result.views:
        error = ERRORS[found.view.input_size]
        assert found.metrics == {
            'PCK': metrics[f'{found.view.name}/PCK'],
            'EPE': metrics[f'{found.view.name}/EPE']
        }
        assert found.keypoint_accuracy == [float(error <= .1), 1., 1.]
        assert found.milliseconds > 0
        assert found.gflops > 0
    assert {
        key: metrics[key]
        for key in result.summary
    } == pytest.approx(result.summary)


def test_ceiling_is_that_of_the_decoder(judged):
    """Keypoints inside the crop come back to a fraction of a pixel."""
    runner, _ = judged
    result = DriftResult.load(f'{runner.work_dir}/drift.json')
    for found in result.views:
        assert found.ceiling['PCK'] == 1
        # In source pixels: a crop of 128 px shows a box of some 50.
        assert found.ceiling['EPE'] < .1


def test_clients_on_their_own_part(judged):
    runner, _ = judged
    result = DriftResult.load(f'{runner.work_dir}/drift.json')
    high, low = result.clients
    assert (high.name, high.view.input_size) == ('high', SIZES['high'])
    assert (low.name, low.view.input_size) == ('low', SIZES['low'])
    assert high.num_samples == low.num_samples == 5
    assert high.metrics['PCK'] == pytest.approx(1)
    assert low.metrics['PCK'] == pytest.approx(2 / 3)
    # The parts are those that the partitioner gives.
    hook = hook_of(runner)
    dataset = runner.test_loop.evaluation.dataset.dataset
    indices = hook.partitioner.partition(dataset, hook.clients, hook.seed)
    for client, own in zip(result.clients, indices):
        sides = [
            box_side(InstanceData(bboxes=dataset.get_data_info(i)['bbox']))
            for i in own
        ]
        error = ERRORS[client.view.input_size]
        assert client.metrics['EPE'] == pytest.approx(
            error * np.mean(sides) / 3, rel=1e-5)


def test_gallery(judged):
    runner, _ = judged
    gallery = DriftGallery.load(f'{runner.work_dir}/drift_gallery.npz')
    assert [view.name for view in gallery.views
            ] == [f'{h}x{w}' for w, h in ERRORS]
    dataset = runner.test_loop.evaluation.dataset
    for view, (w, h) in zip(gallery.views, ERRORS):
        assert view.crops.shape == (3, h, w, 3)
        moved = view.predicted - view.truth
        assert (np.abs(moved[:, 1:]) < 1e-6).all()
        assert (moved[:, 0, 0] > 0).all()
        number = list(ERRORS).index((w, h))
        crop = dataset[2][number]['inputs']
        assert (view.crops[2] == crop.numpy().transpose(1, 2, 0)[..., ::-1]
                ).all()


def test_every_image_is_loaded_once(tmp_path):
    CountedLoadImage.calls = 0
    evaluate(test_config(tmp_path, oracle()))
    assert CountedLoadImage.calls == 10


@pytest.mark.parametrize('size', [(16, 32), (48, 64), (64, 96)])
@pytest.mark.parametrize('raf', [True, False])
def test_equal_to_mmposes_loop_at_that_size(tmp_path, size, raf):
    metrics = [dict(type='PCKAccuracy', thr=.2), dict(type='AUC')]
    cfg = test_config(tmp_path / 'many',
                      toy_model(raf),
                      metrics,
                      input_sizes=[(48, 64), (64, 96), (16, 32)])
    cfg.model.test_cfg = dict(flip_test=True)
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    runner = Runner.from_cfg(cfg)
    # Otherwise the scores of a new model are all but equal.
    with torch.no_grad():
        for weight in runner.model.head.parameters():
            weight.add_(torch.randn_like(weight))
    found = runner.test()

    single = test_config(tmp_path / 'one', toy_model(raf), metrics)
    single.model.test_cfg = dict(flip_test=True)
    single.test_cfg = dict()
    single.test_dataloader.dataset.pipeline = toy_pipeline(size, False)
    by_hand = Runner.from_cfg(single)
    by_hand.model.load_state_dict(runner.model.state_dict())
    for name, value in by_hand.test().items():
        assert found[f'{size[1]}x{size[0]}/{name}'] == pytest.approx(
            value, abs=1e-6)
        assert value > 0 or name == 'PCK'
