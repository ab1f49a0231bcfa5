"""Several evaluations in one set of metrics."""

import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from mmpose.evaluation.metrics import PCKAccuracy
from mmpose.structures import PoseDataSample

from mmpose_raf.evaluation.keypoint_accuracy import KeypointAccuracy
from mmpose_raf.evaluation.view_evaluator import ViewEvaluator


def sample(error, visible=(1, 1, 0)):
    """A person in a box of 100 px, the first keypoint off by so much."""
    truth = np.float32([[[10, 10], [20, 30], [40, 50]]])
    predicted = truth.copy()
    predicted[0, 0, 0] += error
    data = PoseDataSample()
    data.gt_instances = InstanceData(
        keypoints=truth,
        keypoints_visible=np.float32([visible]),
        bboxes=np.float32([[0, 0, 60, 100]]))
    data.pred_instances = InstanceData(keypoints=predicted)
    return data


def evaluator_of(*metrics):
    evaluator = Evaluator(list(metrics))
    evaluator.dataset_meta = {}
    return evaluator


def test_results_are_kept_apart():
    views = ViewEvaluator(evaluator_of(PCKAccuracy(thr=.1)))
    views.process('a', [sample(5)], None)
    views.process('b', [sample(50)], None)
    views.process('a', [sample(50)], None)
    assert views.evaluate('a', 2)['PCK'] == pytest.approx(.75)
    assert views.evaluate('b', 1)['PCK'] == pytest.approx(.5)


def test_an_evaluation_starts_anew_after_its_end():
    views = ViewEvaluator(evaluator_of(PCKAccuracy(thr=.1)))
    for error, pck in ((5, 1), (50, .5)):
        views.process('a', [sample(error)], None)
        assert views.evaluate('a', 1)['PCK'] == pytest.approx(pck)


def test_each_keypoint_has_its_accuracy():
    evaluator = evaluator_of(KeypointAccuracy(.1, 'bbox'))
    samples = [sample(9.9), sample(10.1), sample(0, (0, 1, 0)), sample(0)]
    evaluator.process(samples, None)
    found = evaluator.evaluate(4)['keypoint_accuracy']
    # The first is labelled in three and right in two; the last never.
    assert found == [pytest.approx(2 / 3), 1., None]
