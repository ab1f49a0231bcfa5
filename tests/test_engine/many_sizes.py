"""Models and configs for evaluations at many sizes."""

import numpy as np
from mmengine.registry import TRANSFORMS
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmpose.datasets.transforms import LoadImage
from mmpose.registry import MODELS

from mmpose_raf.models import RAFPoseEstimator
from tests.toy import toy_config, toy_dataset, toy_model

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


def evaluation_config(work_dir,
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
