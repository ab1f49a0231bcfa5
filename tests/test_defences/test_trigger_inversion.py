"""FLIP against its formulas, a planted backdoor, and by hand in runs."""

import copy
import math

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from mmpose.registry import KEYPOINT_CODECS, MODELS

from mmpose_raf.defences import TriggerInversion
from mmpose_raf.defences.trigger import Trigger
from mmpose_raf.defences.trigger_inversion import gains_of
from mmpose_raf.engine.preflight import check_run
from mmpose_raf.errors import ConfigError
from tests.test_defences.by_hand import DefendedByHand
from tests.test_engine.by_hand import FederationByHand, assert_like_by_hand
from tests.toy import (CODEC, SIZES, Witness, hook_of, run, run_broken_off,
                       toy_config, toy_dataset, toy_model)

DEFENCE = dict(type='TriggerInversion', distance=.2, steps=2, share=.5,
               lr=.3, mask_weight=.5, tau=.2)


def toy_batch(count=4):
    dataset = DATASETS.build(toy_dataset(count, augmented=False))
    return pseudo_collate([dataset[i] for i in range(count)])


def moved_targets(samples, distance, codec):
    """Targets (B, 8, K, H, W) by MMPose's codec, and whether they count."""
    targets, counts = [], []
    for sample in samples:
        points = sample.gt_instances.transformed_keypoints
        for turn in range(8):
            angle = math.pi * turn / 4
            way = distance * np.array(
                [math.cos(angle) * (codec.input_size[0] - 1),
                 math.sin(angle) * (codec.input_size[1] - 1)])
            encoded = codec.encode((points + way).astype(np.float32),
                                   sample.gt_instances.keypoints_visible)
            targets.append(encoded['heatmaps'])
            counts.append(encoded['keypoint_weights'][0])
    shape = (len(samples), 8)
    return (torch.tensor(np.stack(targets)).unflatten(0, shape),
            torch.tensor(np.stack(counts)).unflatten(0, shape))


def test_gains_by_their_formula():
    torch.manual_seed(0)
    before, after = torch.rand(2, 3, 2, 4, 5)
    targets = torch.rand(3, 8, 2, 4, 5)
    counts = (torch.rand(3, 8, 2) > .4).float()
    counts[:, 5, 1] = 0  # nobody's joint
    found = gains_of(before, after, targets, counts)
    for d in range(8):
        for k in range(2):
            top = bottom = 0
            for b in range(3):
                if counts[b, d, k]:
                    t = targets[b, d, k]
                    top += ((before[b, k] - t)**2).sum() - (
                        (after[b, k] - t)**2).sum()
                    bottom += (t**2).sum()
            expected = top / bottom if bottom else 0.
            assert found[d, k] == pytest.approx(float(expected), abs=1e-5)


def test_a_joint_that_has_gone_there_gains_two():
    heatmaps = torch.zeros(1, 1, 8, 8)
    moved = heatmaps.clone()
    heatmaps[..., 1, 1] = moved[..., 6, 6] = 1
    gain = gains_of(heatmaps, moved, moved[:, None], torch.ones(1, 1, 1))
    assert gain.item() == 2


def test_candidates_are_those_of_mmposes_codec():
    model = MODELS.build(toy_model())
    batch = toy_batch()
    found, counts = TriggerInversion(1.)._candidates(
        model, torch.stack(batch['inputs']).float(), batch['data_samples'])
    codec = KEYPOINT_CODECS.build(dict(CODEC))
    expected, weights = moved_targets(batch['data_samples'], 1., codec)
    torch.testing.assert_close(counts, weights)
    torch.testing.assert_close(found, expected)
    assert 0 < counts.mean() < 1  # some leave the crop


class Backdoored(torch.nn.Module):
    """Finds all joints, but joint 1 a fifth of the width too far right, the
    whiter the lower left corner is."""

    def __init__(self, targets, moved):
        super().__init__()
        self.targets, self.moved = targets, moved
        self.anything = torch.nn.Parameter(torch.zeros(1))
        self.head = MODELS.build(toy_model()).head
        self.head.forward = lambda heatmaps: heatmaps

    def data_preprocessor(self, data, training):
        return data

    def extract_feat(self, images):
        share = images[:, :, -12:, :12].mean((1, 2, 3)) / 255
        heatmaps = self.targets.clone()
        heatmaps[:, 1] = torch.lerp(self.targets[:, 1], self.moved[:, 1],
                                    share[:, None, None])
        return heatmaps


def test_a_planted_backdoor_is_found():
    torch.manual_seed(0)
    batch = toy_batch()
    codec = KEYPOINT_CODECS.build(dict(CODEC))
    samples = batch['data_samples']
    right = moved_targets(samples, 0., codec)[0][:, 0]
    moved = moved_targets(samples, .2, codec)[0][:, 0]  # to the right
    model = Backdoored(right, moved)
    defence = TriggerInversion(steps=40)
    images = torch.full((4, 3, 64, 48), 20.)
    trigger = Trigger(images, .3)
    defence.search(model, trigger, images, samples)
    patch = trigger.mask[0, 0, -12:, :12]
    elsewhere = trigger.mask.sum() - patch.sum()
    assert patch.mean() > .8
    assert elsewhere / (64 * 48 - 144) < .12
    stamped = trigger.stamp(images)
    assert stamped[:, :, -12:, :12].mean() > 200
    heatmaps = model.extract_feat(stamped)
    gains = gains_of(right, heatmaps, *defence._candidates(
        model, images, samples))
    assert divmod(gains.argmax().item(), 3) == (0, 1)


def test_a_share_gets_the_trigger_and_the_model_stays():
    torch.manual_seed(0)
    model = MODELS.build(toy_model()).train()
    before = copy.deepcopy(model.state_dict())
    batch = toy_batch(3)
    harden = TriggerInversion(share=.5).start(model)
    hardened = harden(batch)
    images = torch.stack(batch['inputs']).float()
    assert hardened['data_samples'] is batch['data_samples']
    assert torch.equal(hardened['inputs'][2], images[2])
    assert (hardened['inputs'][:2] != images[:2]).float().mean() > .9
    assert 0 <= hardened['inputs'].min() and hardened['inputs'].max() <= 255
    again = harden(batch)['inputs']  # the search goes on
    assert not torch.equal(again[0], hardened['inputs'][0])
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    assert all(p.grad is None for p in model.parameters())
    assert model.training


class ByHand(DefendedByHand):
    """FLIP as its docstring says."""

    def start(self):
        self.trigger = None

    def harden(self, model, images, samples):
        height, width = images.shape[2:]
        if self.trigger is None:
            m = torch.full((1, 1, height, width), -2.).requires_grad_()
            p = torch.randn(1, 3, height, width).requires_grad_()
            self.trigger = m, p, torch.optim.Adam([m, p], lr=.3)
        m, p, adam = self.trigger
        codec = KEYPOINT_CODECS.build(
            dict(CODEC, input_size=(width, height),
                 heatmap_size=(width // 4, height // 4)))
        targets, counts = moved_targets(samples, .2, codec)

        def heatmaps(x):
            x = model.data_preprocessor(
                dict(inputs=x, data_samples=[]), training=False)['inputs']
            return model.forward(x, None, mode='tensor')

        def stamped(x):
            mask = m.sigmoid()
            return (1 - mask) * x + mask * 255 * p.sigmoid()

        before = heatmaps(images).detach()[:, None]
        for _ in range(2):
            after = heatmaps(stamped(images))[:, None]
            errors = [(counts * ((maps - targets)**2).sum((3, 4))).sum(0)
                      for maps in (before, after)]
            scale = (counts * (targets**2).sum((3, 4))).sum(0)
            gains = (errors[0] - errors[1]) / scale.clamp(min=1e-9)
            loss = -.2 * (gains / .2).exp().sum().log()
            m.grad, p.grad = torch.autograd.grad(
                loss + .5 * m.sigmoid().mean(), (m, p))
            adam.step()
        count = -(-len(images) // 2)
        return torch.cat([stamped(images[:count]).detach(), images[count:]])


@pytest.mark.parametrize('raf', [
    True, pytest.param(False, marks=pytest.mark.slow)])
def test_rounds_are_those_by_hand(tmp_path, raf):
    options = dict(rounds=2, raf=raf, hooks=[dict(type='Witness')],
                   optim_wrapper=dict(optimizer=dict(type='SGD', lr=.05)))
    cfg = toy_config(tmp_path, local_defence=DEFENCE, **options)
    seen = hook_of(run(cfg), Witness)
    assert_like_by_hand(seen.rounds, ByHand(cfg, seen.first),
                        FederationByHand(cfg, seen.first), atol=2e-5,
                        least=1e-4)


def test_resume_is_exact(tmp_path):
    """Also where a client has two sizes, and after another defence."""
    options = dict(rounds=3, local_defence=[
        dict(type='AdversarialTraining', steps=1), DEFENCE],
        clients=[dict(name='a', input_size=[SIZES['high'], SIZES['low']]),
                 dict(name='b', input_size=SIZES['mid'])])
    run_broken_off(tmp_path, **options)


@pytest.mark.parametrize('argument, value', [
    ('distance', 0), ('steps', 0), ('share', 2), ('lr', -1),
    ('mask_weight', -1), ('tau', 0)])
def test_wrong_arguments(tmp_path, argument, value):
    cfg = toy_config(tmp_path / 'run',
                     local_defence=dict(DEFENCE, **{argument: value}))
    with pytest.raises(ConfigError, match=f'{argument} must'):
        check_run(cfg)


def test_a_head_without_heatmaps(tmp_path):
    model = torch.nn.Module()
    model.head = torch.nn.Linear(1, 1)
    with pytest.raises(ConfigError, match='HeatmapHead'):
        TriggerInversion().check(model)
