"""Models side by side, and what is made of their words."""

import pytest
import torch
from mmpose.registry import MODELS

from mmpose_raf.models.image_heatmaps import heatmaps_of
from mmpose_raf.models.ladder import resample
from mmpose_raf.one_shot import Ensemble
from mmpose_raf.one_shot.relabel import relabel
from tests.toy import SIZES, toy_model

HIGH, MID, LOW = SIZES.values()


def random_models(count):
    torch.manual_seed(0)
    models = [MODELS.build(toy_model()) for _ in range(count)]
    for model in models:
        torch.nn.init.normal_(model.head.final_layer.weight)
    return models


@pytest.mark.parametrize('size, expected', [
    (HIGH, [0]), (MID, [0, 1]), (LOW, [0, 1, 2]),
    ((96, 128), [0]), ((16, 16), [0, 1, 2]), ((48, 48), [0]),
])
def test_those_speak_that_have_trained_there(size, expected):
    models = random_models(3)
    ensemble = Ensemble(models, [[HIGH, MID, LOW], [MID, LOW], [LOW]], True)
    members = ensemble.members(size)
    assert [models.index(model) for model in members] == expected


def test_the_mean_of_what_they_say():
    models = random_models(3)
    ensemble = Ensemble(models, [[HIGH, MID], [MID], [LOW]], True)
    images = (torch.rand(2, 3, 64, 48) * 255).requires_grad_()
    got = ensemble.heatmaps(images, MID)
    small = resample(images, MID, True)
    expected = sum(
        model.head(model.extract_feat(
            model.data_preprocessor(dict(inputs=small, data_samples=[]))['inputs']))
        for model in models[:2]) / 2
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(
        ensemble.heatmaps(images, HIGH), heatmaps_of(models[0], images))
    got.sum().backward()
    assert images.grad.abs().max() > 0
    assert all(parameter.grad is None for model in models
               for parameter in model.parameters())
    assert not any(model.training for model in models)


def test_relabel_by_hand():
    """Two keypoints on a grid of 1x2 patches; the pose has but the first."""
    poses = torch.full((1, 2, 2, 4), 1.)
    ensemble = torch.full((1, 2, 2, 4), .25)
    labelled = torch.tensor([[1., 0.]])
    informative = torch.tensor([[False, True]])
    got = relabel(poses, ensemble, labelled, informative, (1, 2))
    assert got[0, 0].tolist() == [[.25, .25, 1, 1]] * 2
    assert (got[0, 1] == .25).all()
    everywhere = relabel(poses, ensemble, labelled)
    assert (everywhere[0, 0] == 1).all() and (everywhere[0, 1] == .25).all()
