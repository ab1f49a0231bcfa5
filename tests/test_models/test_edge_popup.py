"""Subnetworks of a random network."""

import math

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS
from mmpose.registry import MODELS
from torch import nn
from torch.nn import functional as F

from mmpose_raf.errors import ConfigError
from mmpose_raf.models import LoRA
from mmpose_raf.models.edge_popup import draw_edges, parametrize_edges
from tests.toy import toy_dataset, toy_model


def toy_batch():
    dataset = DATASETS.build(toy_dataset(2, augmented=False))
    return pseudo_collate([dataset[0], dataset[1]])


def ranked(keep=.4, **kwargs):
    torch.manual_seed(0)
    model = MODELS.build(
        dict(toy_model(), type='RankedPoseEstimator', keep=keep, **kwargs))
    model.init_weights()
    return model


def linear(keep=.5):
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(4, 3))
    parametrize_edges(layer, keep)
    draw_edges(layer, keep)
    return layer[0], layer[0].parametrizations.weight


def test_the_best_edges_are_used():
    layer, edges = linear()
    scores = edges[0].scores.detach()
    best = scores.flatten().sort().values[6:]
    used = (scores[..., None] == best).any(-1)
    assert used.sum() == 6
    assert torch.equal(layer.weight, edges.original * used)
    # sqrt(2 / (1/2 * 4)) = 1
    torch.testing.assert_close(edges.original.abs(), torch.ones(3, 4))
    assert edges.original.unique().tolist() == [-1, 1]
    assert layer.bias.tolist() == [0, 0, 0]


def test_the_gradient_passes_the_mask():
    layer, edges = linear()
    x, target = torch.randn(7, 4), torch.randn(7, 3)
    weight = layer.weight.detach().requires_grad_()
    slope, = torch.autograd.grad(
        F.mse_loss(F.linear(x, weight, layer.bias), target), weight)
    F.mse_loss(layer(x), target).backward()
    torch.testing.assert_close(edges[0].scores.grad, edges.original * slope)
    assert edges.original.grad is None and layer.bias.grad is None


@pytest.mark.parametrize('layer, fan_in', [
    (nn.Conv2d(4, 8, 3), 36), (nn.Conv2d(8, 8, 3, groups=8), 9),
    (nn.ConvTranspose2d(8, 4, 4, stride=2), 32)])
def test_outputs_have_the_variance_of_kaiming(layer, fan_in):
    """With all edges and unit inputs, twice the inputs' variance."""
    torch.manual_seed(0)
    model = nn.Sequential(layer)
    parametrize_edges(model, 1.)
    draw_edges(model, 1.)
    constant = layer.parametrizations.weight.original.abs()
    torch.testing.assert_close(
        constant, torch.full_like(constant, math.sqrt(2 / fan_in)))
    outputs = layer(torch.randn(64, layer.in_channels, 24, 24))
    assert outputs[..., 4:-4, 4:-4].detach().var() == pytest.approx(2, rel=.15)


def test_scores_alone_are_trained():
    model = ranked()
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    layers = [m for m in model.modules() if isinstance(
        m, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))]
    assert len(trained) == len(layers) > 8
    assert all(name.endswith('.parametrizations.weight.0.scores')
               for name in trained)
    shares = [(layer.weight != 0).float().mean().item() for layer in layers]
    assert all(abs(share - .4) < .1 for share in shares)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    wrapper = build_optim_wrapper(
        model, dict(optimizer=dict(type='AdamW', lr=.1)))
    model.train_step(toy_batch(), wrapper)
    for key, value in model.state_dict().items():
        moves = key.endswith('.scores') or 'running' in key or (
            'num_batches' in key)
        assert torch.equal(value, before[key]) != moves, key


def test_first_heatmaps_are_of_the_size_of_targets():
    """Outputs of unit scale bury what the edges could say."""
    model = ranked(keep=.5)
    data = model.data_preprocessor(toy_batch(), training=False)
    with torch.no_grad():
        heatmaps = model(**data, mode='tensor')
    # The integral of a squared Gaussian is pi sigma^2; sigma is 2 here.
    target = math.sqrt(math.pi * 2**2 / math.prod(heatmaps.shape[2:]))
    assert target / 3 < heatmaps.square().mean().sqrt() < 3 * target


def test_the_same_seed_draws_the_same_network():
    one, other = ranked().state_dict(), ranked().state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize('options, message', [
    (dict(keep=0), 'model.keep'), (dict(keep=1), 'model.keep'),
    (dict(init_cfg=dict(type='Pretrained', checkpoint='x.pth')),
     'model.init_cfg')])
def test_wrong_arguments(options, message):
    with pytest.raises(ConfigError, match=message):
        ranked(**options)


def test_adapters_have_no_weights_to_adapt():
    with pytest.raises(ConfigError, match='random network'):
        LoRA().adapt(ranked(), 0)
