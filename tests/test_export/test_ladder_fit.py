"""Inputs beyond the ladder, where a model is deployed."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from mmpose_raf.export import DeployedModel
from mmpose_raf.export.ladder_fit import LadderFit
from mmpose_raf.models.ladder import fit_size

sides = st.integers(1, 30)


@given(st.tuples(sides, sides), st.lists(st.tuples(sides, sides), min_size=1),
       st.integers(1, 3))
def test_sizes_are_those_of_mmposes_predictions(size, ladder, unit):
    """Of any ladder, also one whose levels differ in their shape."""
    ladder = sorted({(w * unit, h * unit) for w, h in ladder}, reverse=True)
    width, height = size[0] * unit, size[1] * unit
    fit = LadderFit(ladder, unit)
    found = fit(torch.zeros(1, 1, height, width)).shape[-2:]
    assert found[::-1] == fit_size((width, height), ladder)


@pytest.mark.parametrize('size', [(24, 32), (48, 64), (64, 80), (192, 256)])
def test_keypoints_are_mmposes(size, deployed):
    width, height = size
    torch.manual_seed(0)
    images = torch.randint(256, (3, height, width, 3), dtype=torch.uint8)
    model = copy.deepcopy(deployed.estimator)
    model.test_cfg['flip_test'] = False
    # A crop that is the whole photograph.
    samples = [
        PoseDataSample(
            metainfo=dict(
                input_size=size,
                input_center=np.divide(size, 2),
                input_scale=np.array(size, float)),
            gt_instances=InstanceData(
                bboxes=np.zeros((1, 4)), bbox_scores=np.ones(1)))
        for _ in images
    ]
    with torch.no_grad():
        found = deployed(images)
        theirs = model.predict(deployed.normalize(images), samples)
        heatmaps = model(deployed.normalize(images), None, mode='tensor')
    torch.testing.assert_close(found[2], heatmaps, rtol=0, atol=1e-5)
    for keypoints, scores, sample in zip(*found[:2], theirs):
        expected = sample.pred_instances
        np.testing.assert_allclose(
            scores, expected.keypoint_scores[0], atol=1e-4)
        # A maximum of such noise may be flat.
        distance = np.abs(keypoints.numpy() - expected.keypoints[0]).max(-1)
        assert np.median(distance) < 1e-2


@pytest.mark.parametrize('change', [
    lambda model: model.test_cfg.update(fit_to_ladder=None),
    lambda model: setattr(model, 'use_udp', False),
], ids=['not wanted', 'no UDP'])
def test_a_model_that_fits_nothing_has_nothing_in_its_graph(change, deployed):
    model = copy.deepcopy(deployed.estimator)
    change(model)
    plain = DeployedModel(model)
    assert plain.fit is None
    images = torch.zeros(1, 32, 24, 3, dtype=torch.uint8)
    with torch.no_grad():
        assert plain(images)[2].shape[-2:] == (8, 6)
        assert deployed(images)[2].shape[-2:] == (16, 12)
