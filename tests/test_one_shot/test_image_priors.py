"""Priors of images against their formulas."""

import torch
from torch import nn

from mmpose_raf.one_shot.image_priors import NormStatistics, total_variation


def test_total_variation_by_hand():
    image = torch.tensor([[[[0., 1.], [3., 3.]]]])
    # To the right 1 and 0, down 3 and 2.
    assert total_variation(image).item() == (1 + 0) / 2 + (9 + 4) / 2
    assert total_variation(torch.full((2, 3, 4, 4), .7)) == 0


def test_statistics_are_those_of_the_batch():
    torch.manual_seed(0)
    layer = nn.BatchNorm2d(3).eval()
    layer.running_mean = torch.tensor([0., 1., 2.])
    layer.running_var = torch.tensor([1., 4., .25])
    features = torch.randn(5, 3, 4, 4, requires_grad=True)
    statistics = NormStatistics([nn.Sequential(layer, nn.ReLU())])
    with statistics.watching() as distances:
        layer(features)
    expected = sum(
        ((own.mean() - mean)**2 / var +
         ((own.var(correction=0) - var) / var)**2) / 3
        for own, mean, var in zip(
            features.transpose(0, 1), layer.running_mean, layer.running_var))
    (distance, ) = distances
    torch.testing.assert_close(distance, expected, rtol=1e-4, atol=1e-5)
    distance.backward()
    assert features.grad.abs().max() > 0
    layer(features)
    assert len(distances) == 1  # it looks no more


def test_a_batch_like_those_of_the_training_is_at_no_distance():
    torch.manual_seed(0)
    layer = nn.BatchNorm2d(3, momentum=1.)
    features = torch.randn(64, 3, 8, 8) * 3 + 1
    layer(features)
    layer.eval()
    with NormStatistics([layer]).watching() as near:
        layer(features)
    with NormStatistics([layer]).watching() as far:
        layer(features + 3)
    assert near[0] < 1e-4 < far[0]


def test_models_without_norms():
    with NormStatistics([nn.Linear(2, 2)]).watching() as distances:
        pass
    assert distances == []
