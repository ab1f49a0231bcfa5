"""Sparse inversion: what is moved, and that it leads somewhere."""

import numpy as np
import pytest
import torch
from mmpose.registry import MODELS

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.codecs import resize_codec
from mmpose_raf.models.heatmap_targets import encode_batch
from mmpose_raf.one_shot import Distillation, Ensemble, Inversion
from mmpose_raf.one_shot.distillation import level_loss
from tests.toy import OPTIMIZER, SIZES, toy_model

HIGH, LOW = SIZES['high'], SIZES['low']
GRID = (4, 3)


class SpyEnsemble(Ensemble):
    """Notes what it is shown."""

    def __init__(self, *args):
        super().__init__(*args)
        self.shown = []

    def heatmaps(self, images, size):
        self.shown.append((images.detach().clone(), size))
        return super().heatmaps(images, size)


def make_ensemble():
    torch.manual_seed(0)
    models = [MODELS.build(toy_model()) for _ in range(2)]
    for model in models:
        torch.nn.init.normal_(model.head.final_layer.weight)
    codecs = {
        size: resize_codec(models[0].codec, size, 'pixel')
        for size in (HIGH, LOW)
    }
    return SpyEnsemble(models, [[HIGH, LOW], [LOW]], True), codecs


def invert(steps=12, keep=(.5, ), **options):
    ensemble, codecs = make_ensemble()
    keypoints = torch.rand(
        4, 3, 2, generator=torch.Generator().manual_seed(1))
    found = Inversion(
        steps=steps, keep=keep, **options).invert(
            ensemble, codecs, GRID, keypoints, torch.ones(4, 3),
            torch.Generator().manual_seed(2))
    return found, ensemble


def patches(images):
    """Largest and smallest values of each patch of 16x16, (B, 12)."""
    return images.unfold(2, 16, 16).unfold(3, 16, 16).permute(
        0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)


def test_what_has_been_stopped_stays():
    found, ensemble = invert()
    assert found.images.shape == (4, 3, 64, 48)
    assert found.images.dtype == torch.uint8
    assert (found.informative.sum(1) == 6).all()
    # At the stop the ensemble is shown the images once more, for attention.
    images = [patches(shown) for shown, _ in ensemble.shown]
    assert len(images) == 13
    end = patches(found.images.float())
    stopped = ~found.informative
    for later in images[7:]:
        assert torch.equal(later[stopped], images[6][stopped])
    assert (end[stopped] - images[6][stopped]).abs().max() <= .5
    moved = (images[12] - images[6]).abs().amax(-1)
    assert (moved[found.informative] > 1).all()
    # Before, all were moved.
    assert ((images[5] - images[0]).abs().amax(-1) > 1).all()


def test_levels_take_turns():
    _, ensemble = invert(steps=4, keep=())
    assert [size for _, size in ensemble.shown] == [HIGH, LOW] * 2
    assert all(shown.shape[-1] == HIGH[0] for shown, _ in ensemble.shown)


def test_gradient_flows_into_informative_patches_alone():
    images = torch.zeros(1, 3, 64, 48, requires_grad=True)
    informative = torch.arange(12)[None] % 3 == 0  # the first column
    Inversion._stop(images, informative, GRID).sum().backward()
    assert (images.grad[..., :16] == 1).all()
    assert (images.grad[..., 16:] == 0).all()


@pytest.mark.parametrize('keep', [(), (.75, .5)])
def test_images_become_those_of_the_poses(keep):
    """The ensemble's error falls, and noise has more of it."""
    found, ensemble = invert(steps=60, keep=keep, tv=0., norm=0.)
    codec = resize_codec(ensemble.models[0].codec, HIGH, 'pixel')
    targets, _ = encode_batch(
        codec, found.keypoints * torch.tensor([47., 63.]), found.labelled)
    noise = ensemble.shown[0][0]
    before, after = (
        (ensemble.heatmaps(images, HIGH) - targets).square().mean()
        for images in (noise, found.images.float()))
    assert after < .7 * before


def test_two_inversions_are_equal():
    first, second = (invert(steps=5)[0] for _ in range(2))
    assert all(torch.equal(one, two) for one, two in zip(first, second))


@pytest.mark.parametrize('options, field', [
    (dict(steps=0), 'steps'), (dict(steps=2, keep=(.5, .2)), 'steps'),
    (dict(lr=0), 'lr'), (dict(lr='fast'), 'lr'), (dict(tv=-1), 'tv'),
    (dict(l2=float('nan')), 'l2'), (dict(norm=True), 'norm'),
    (dict(keep=.5), 'keep'), (dict(keep=(.5, .75)), 'keep'),
    (dict(keep=(1., )), 'keep'), (dict(keep=(0, )), 'keep'),
])
def test_wrong_arguments(options, field):
    with pytest.raises(ConfigError) as error:
        Inversion(**options)
    assert error.value.field == f'one_shot.inversion.{field}'


def test_distillation_leads_to_the_targets():
    """A model learns another one's heatmaps; norms keep their statistics."""
    torch.manual_seed(0)
    teacher, student = (MODELS.build(toy_model()) for _ in range(2))
    images = torch.randint(0, 256, (12, 3, 64, 48), dtype=torch.uint8)
    with torch.no_grad():
        teacher.eval()
        inputs = teacher.data_preprocessor(
            dict(inputs=images.float(), data_samples=[]))['inputs']
        targets = teacher.head(teacher.extract_feat(inputs)) + .1
    before = {
        name: value.clone()
        for name, value in student.named_buffers() if 'running' in name
    }
    error = level_loss(student.eval(), images.float(), HIGH, targets, True)
    np.testing.assert_allclose(
        error.item(), (student.head(student.extract_feat(inputs)) -
                       targets).square().mean().item(), rtol=1e-5)
    options = dict(
        images=images, targets={HIGH: targets}, shares={HIGH: 1.},
        use_udp=True, optim_wrapper=dict(optimizer=dict(OPTIMIZER)), seed=0)
    states = []
    for _ in range(2):
        copy = MODELS.build(toy_model())
        copy.load_state_dict(student.state_dict())
        loss = Distillation(epochs=8, batch_size=5).train(copy, **options)
        states.append(copy.state_dict())
    assert loss < .5 * error
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name])
    for name, value in before.items():
        assert torch.equal(value, states[0][name])
