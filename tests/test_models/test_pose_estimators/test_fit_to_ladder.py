"""Inputs beyond the ladder are predicted within it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.ladder import fit_size
from tests.test_models.test_pose_estimators.test_raf_pose_estimator import (
    HIGH, LADDER, LOW, MID, batch_of, build, predict, sample_of)

SMALL, LARGE = (48, 64), (384, 512)


@pytest.mark.parametrize(
    'size, wanted',
    [
        (SMALL, LOW),
        ((45, 60), LOW),  # no multiple of a patch
        (LARGE, HIGH),
        (LOW, LOW),
        (MID, MID),
        ((120, 160), (120, 160)),  # between the levels
        ((64, 64), (64, 64)),  # another aspect ratio
        ((512, 512), (512, 512))
    ])
def test_sizes(size, wanted):
    assert fit_size(size, LADDER) == wanted


@pytest.mark.parametrize('size, wanted', [
    (SMALL, HIGH),
    (LOW, HIGH),
    (MID, HIGH),
    (HIGH, HIGH),
    (LARGE, HIGH),
    ((64, 64), (64, 64))  # another aspect ratio
])
def test_everything_is_predicted_at_the_highest_level(size, wanted):
    model = build(test_cfg=dict(fit_to_ladder='highest'))
    with torch.no_grad():
        heatmaps = model(torch.randn(1, 3, *size[::-1]), None, mode='tensor')
    assert heatmaps.shape[2:] == (wanted[1] // 4, wanted[0] // 4)


@pytest.mark.parametrize('rule', [True, ['highest']], ids=str)
def test_another_rule_is_refused(rule):
    with pytest.raises(ConfigError, match=(
            r'test_cfg.fit_to_ladder: got .*(True|\[).*'
            'use one of None, nearest, highest')):
        build(test_cfg=dict(fit_to_ladder=rule))


@pytest.mark.parametrize('flip', [{}, dict(flip_test=True, joint_flip=True)])
@pytest.mark.parametrize('fit, size, seen', [('nearest', SMALL, LOW),
                                             ('nearest', LARGE, HIGH),
                                             ('highest', LOW, HIGH)])
def test_keypoints_are_those_of_the_resized_person(fit, size, seen, flip):
    """As if the crop had been resized before, which is no other crop."""
    model = build()
    images, _ = batch_of(size)
    fitted, _ = predict(model, images, [sample_of(size, i) for i in range(2)],
                        fit_to_ladder=fit, **flip)
    resized = F.interpolate(
        images, size=seen[::-1], mode='bilinear', align_corners=True)
    wanted, _ = predict(model, resized, [sample_of(seen, i) for i in range(2)],
                        **flip)
    for ours, theirs in zip(fitted, wanted):
        np.testing.assert_allclose(ours.pred_instances.keypoints,
                                   theirs.pred_instances.keypoints)
        np.testing.assert_array_equal(ours.pred_instances.keypoint_scores,
                                      theirs.pred_instances.keypoint_scores)


def test_heatmaps_are_those_of_the_level():
    """What is exported, and what ``mode='tensor'`` gives."""
    model = build(test_cfg=dict(fit_to_ladder='nearest'))
    with torch.no_grad():
        heatmaps = model(torch.randn(1, 3, SMALL[1], SMALL[0]), None, mode='tensor')
    assert heatmaps.shape[2:] == (LOW[1] // 4, LOW[0] // 4)


@pytest.mark.parametrize('options', [dict(), dict(fit_to_ladder=None)])
def test_it_is_off_by_default(options):
    model = build(test_cfg=options)
    with torch.no_grad():
        heatmaps = model(torch.randn(1, 3, SMALL[1], SMALL[0]), None, mode='tensor')
    assert heatmaps.shape[2:] == (SMALL[1] // 4, SMALL[0] // 4)


def test_training_keeps_the_native_size():
    """A client above the ladder trains at its own size all the same."""
    model = build(ladder=[MID, LOW], test_cfg=dict(fit_to_ladder='nearest'))
    losses = model.loss(*batch_of(HIGH))
    assert {key for key in losses if key.startswith('task_')} == {
        'task_256x192', 'task_192x144', 'task_128x96'
    }


def test_without_a_ladder_nothing_is_fitted():
    model = build(
        ladder=[], distill=None, test_cfg=dict(fit_to_ladder='nearest'))
    with torch.no_grad():
        heatmaps = model(torch.randn(1, 3, SMALL[1], SMALL[0]), None, mode='tensor')
    assert heatmaps.shape[2:] == (SMALL[1] // 4, SMALL[0] // 4)
