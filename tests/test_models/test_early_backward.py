"""Levels in one pass, in several, and one after the other.

The plain way, one forward pass for each level and one backward pass for all,
is that of a backbone which takes one level at a time.
"""

import weakref

import pytest
import torch

from mmpose_raf.errors import ConfigError
from mmpose_raf.models import RAFPoseEstimator, RAFViT
from mmpose_raf.models.early_backward import EarlyBackward
from mmpose_raf.models.pose_estimators import raf_pose_estimator
from tests.test_models.reference import TINY
from tests.test_models.test_pose_estimators.test_raf_pose_estimator import (
    HIGH, LADDER, build, sample_of)

SAMPLES = [sample_of(HIGH, seed) for seed in range(2)]
IMAGES = torch.randn(2, 3, 256, 192, generator=torch.manual_seed(0))


class PlainViT(RAFViT):
    """A backbone that takes one level at a time."""
    takes_levels = False


def build_seeded(way, **kwargs):
    """An estimator that trains its levels ``'joint'``, one by one
    (``'plain'``) or ``'in_turn'``."""
    torch.manual_seed(0)
    backbone = dict(type=PlainViT if way == 'plain' else RAFViT, arch=TINY)
    backbone.update(kwargs.pop('backbone', {}))
    passes = 'in_turn' if way == 'in_turn' else 'joint'
    return build(passes=passes, backbone=backbone, **kwargs)


def train_once(way, scale=1., **kwargs):
    """Losses and gradients of one step."""
    model = build_seeded(way, **kwargs).train()
    losses = model.loss(IMAGES, SAMPLES)
    total = losses['loss_kpt'] + losses.get('loss_kd', 0)
    (scale * total).backward()
    return losses, {
        name: parameter.grad
        for name, parameter in model.named_parameters()
    }, dict(model.named_buffers())


CASES = [
    dict(),
    dict(distill=None),
    dict(ladder=[]),
    dict(level_weights='area',
         distill=dict(type='MultiResolutionDistillLoss',
                      alpha=.3,
                      teacher='highest',
                      resize='bilinear')),
    dict(distill=dict(type='MultiResolutionDistillLoss', resize='teacher')),
]


@pytest.mark.parametrize('options', CASES)
@pytest.mark.parametrize('way', ['joint', 'in_turn'])
def test_losses_and_gradients_are_those_of_the_plain_way(options, way):
    plain, fast = (train_once(kind, scale=3., **options)
                   for kind in ('plain', way))
    assert plain[0].keys() == fast[0].keys()
    for key, value in plain[0].items():
        torch.testing.assert_close(fast[0][key], value, rtol=1e-5, atol=1e-7)
    largest = max(grad.abs().max() for grad in plain[1].values())
    for name, grad in plain[1].items():
        torch.testing.assert_close(fast[1][name],
                                   grad,
                                   rtol=1e-5,
                                   atol=1e-5 * largest.item())
    for name, buffer in plain[2].items():
        torch.testing.assert_close(fast[2][name], buffer)


def test_gradients_that_share_memory():
    """Of one sample, class token and position embedding have one gradient."""
    results = []
    for way in ('plain', 'in_turn'):
        model = build_seeded(
            way, backbone=dict(pos_embed='ape', with_cls_token=True))
        losses = model.loss(IMAGES[:1], SAMPLES[:1])
        (3 * (losses['loss_kpt'] + losses['loss_kd'])).backward()
        results.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-6)


def test_gradients_add_up_over_batches():
    """As with accumulate_gradients of MMEngine."""
    results = []
    for way in ('plain', 'in_turn'):
        model = build_seeded(way)
        for scale in (1., .5):
            losses = model.loss(IMAGES, SAMPLES)
            (scale * (losses['loss_kpt'] + losses['loss_kd'])).backward()
        results.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-6)


class Box(list):
    """A list that weak references can point to."""


class Peak:
    """Most bytes that graphs have held at a time."""

    def __init__(self):
        self.now = self.peak = 0
        self.held = {}

    def pack(self, tensor):
        # A tensor that several nodes keep is held once.
        storage = tensor.untyped_storage()
        box = Box([tensor])
        key = storage.data_ptr()
        if self.held.setdefault(key, 0) == 0:
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
        self.held[key] += 1
        weakref.finalize(box, self.free, key, storage.nbytes())
        return box

    def free(self, key, size):
        self.held[key] -= 1
        if self.held[key] == 0:
            self.now -= size


def peak_of(way, **kwargs):
    model = build_seeded(way, **kwargs).train()
    peak = Peak()
    with torch.autograd.graph.saved_tensors_hooks(peak.pack,
                                                  lambda box: box[0]):
        losses = model.loss(IMAGES, SAMPLES)
        (losses['loss_kpt'] + losses.get('loss_kd', 0)).backward()
    return peak.peak


def test_a_ladder_in_turn_needs_the_memory_of_its_highest_level():
    native = peak_of('plain', ladder=LADDER[:1], distill=None)
    assert peak_of('plain') > 1.5 * native
    assert peak_of('joint') > 1.5 * native
    assert peak_of('in_turn') < 1.15 * native


def test_parameters_that_a_part_does_not_reach():
    first, second, third = (torch.nn.Parameter(torch.tensor(2.))
                            for _ in range(3))
    early = EarlyBackward([first, second, third])
    early.add(first**2)
    early.add(3 * first * second.detach() + second)
    (5 * early.attach(torch.tensor(7.))).backward()
    assert first.grad == 5 * (4 + 6)
    assert second.grad == 5
    assert third.grad is None


class Changed(RAFPoseEstimator):
    """Extracts features in a way of its own."""

    def extract_feat(self, inputs):
        return tuple(2 * maps for maps in super().extract_feat(inputs))


def test_a_subclass_extracts_features_in_its_own_way():
    losses = []
    for kind in ('RAFPoseEstimator', Changed):
        torch.manual_seed(0)
        model = build(type=kind, ladder=LADDER)
        losses.append(model.loss(IMAGES, SAMPLES)['loss_kpt'].item())
    assert abs(losses[0] - losses[1]) > 1e-4


@pytest.mark.parametrize('options, is_said', [
    (dict(backbone=dict(type=PlainViT, arch=TINY)), True),
    (dict(backbone=dict(type='RAFViT', arch=TINY)), False),
    (dict(backbone=dict(type=PlainViT, arch=TINY), passes='in_turn'), False),
    (dict(backbone=dict(type=PlainViT, arch=TINY), ladder=[]), False),
])
def test_the_log_says_once_when_levels_cannot_go_together(options, is_said,
                                                     monkeypatch):
    said = []
    monkeypatch.setattr(raf_pose_estimator, 'print_log',
                        lambda message, **kwargs: said.append(message))
    model = build(**options)
    for _ in range(2):
        model.loss(IMAGES, SAMPLES)
    assert len(said) == is_said
    assert all('PlainViT takes one level' in message for message in said)


def test_losses_need_no_gradients():
    with torch.no_grad():
        model = build(passes='in_turn')
        assert model.loss(IMAGES, SAMPLES)['loss_kpt'].isfinite()


def test_float16_is_refused(monkeypatch):
    monkeypatch.setattr(torch, 'is_autocast_enabled', lambda: True)
    monkeypatch.setattr(torch, 'get_autocast_gpu_dtype', lambda: torch.float16)
    with pytest.raises(ConfigError, match='model.passes.*bfloat16'):
        build(passes='in_turn').loss(IMAGES, SAMPLES)
