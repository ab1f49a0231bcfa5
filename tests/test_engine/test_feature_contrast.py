"""MOON in a run, against clients that keep whole models of their own."""

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from mmpose_raf.engine.preflight import check_run
from mmpose_raf.errors import ConfigError
from tests.test_engine.by_hand import (FederationByHand,
                                       assert_like_by_hand)
from tests.toy import Witness, hook_of, run, toy_config

MU, TEMPERATURE = 3., .5


class MoonByHand(FederationByHand):
    """Clients that keep the global model and their own last one."""

    previous = {}

    def train(self, client, steps):
        self.client = client
        self.anchor = copy.deepcopy(self.model).eval()
        result = super().train(client, steps)
        model = copy.deepcopy(self.model).eval()
        model.load_state_dict(result)
        self.previous = {**self.previous, client: model}
        return result

    def loss(self, model, keys):
        loss = super().loss(model, keys)
        if self.client not in self.previous:
            return loss
        batch = self.batch(model, keys)
        unit = [
            normalize(other.backbone(batch)[-1].mean((2, 3)))
            for other in (model, self.anchor, self.previous[self.client])
        ]
        logits = torch.stack([(unit[0] * other.detach()).sum(1)
                              for other in unit[1:]], 1) / TEMPERATURE
        wanted = torch.zeros(len(logits), dtype=torch.long)
        return loss + MU * cross_entropy(logits, wanted)

    def batch(self, model, keys):
        images = [self.data[key]['inputs'] for key in keys]
        mean, std = model.data_preprocessor.mean, model.data_preprocessor.std
        return (torch.stack(images)[:, [2, 1, 0]].float() - mean) / std


@pytest.mark.parametrize('raf', [True, False])
def test_like_by_hand(tmp_path, raf):
    cfg = toy_config(tmp_path,
                     rounds=3,
                     raf=raf,
                     hooks=[dict(type='Witness')],
                     local_objective=dict(type='MOON',
                                          mu=MU,
                                          temperature=TEMPERATURE))
    witness = hook_of(run(cfg), Witness)
    by_hand, plain = (kind(cfg, witness.first)
                      for kind in (MoonByHand, FederationByHand))
    assert_like_by_hand(witness.rounds, by_hand, plain, atol=2e-5, least=1e-3)


class AlignmentByHand(MoonByHand):
    """Blocks of the client and of the global model, of the same images."""

    def loss(self, model, keys):
        batch = self.batch(model, keys)
        with torch.no_grad():
            anchors = self.blocks(self.anchor, batch)
        return FederationByHand.loss(self, model, keys) + MU / 2 * sum(
            (own - anchor).square().mean()
            for own, anchor in zip(self.blocks(model, batch), anchors))

    def blocks(self, model, batch):
        outputs = []
        handles = [
            layer.register_forward_hook(
                lambda module, args, output: outputs.append(output))
            for layer in model.backbone.layers
        ]
        model.backbone(batch)
        for handle in handles:
            handle.remove()
        return outputs


@pytest.mark.parametrize('raf', [True, False])
def test_alignment_like_by_hand(tmp_path, raf):
    """Also on a ladder, whose levels pass through the blocks together."""
    cfg = toy_config(tmp_path,
                     rounds=2,
                     raf=raf,
                     hooks=[dict(type='Witness')],
                     local_objective=dict(type='FeatureAlignment', mu=MU))
    witness = hook_of(run(cfg), Witness)
    by_hand, plain = (kind(cfg, witness.first)
                      for kind in (AlignmentByHand, FederationByHand))
    assert_like_by_hand(witness.rounds, by_hand, plain, atol=2e-5, least=1e-3)


def test_alignment_of_layers_that_are_not_there(tmp_path):
    cfg = toy_config(tmp_path / 'run',
                     local_objective=dict(type='FeatureAlignment',
                                          mu=1.,
                                          layers=['layers.0', 'layer1']))
    with pytest.raises(ConfigError, match="layers: 'layer1' fits no layer"):
        check_run(cfg)
    assert not (tmp_path / 'run').exists()


def test_it_is_logged_from_the_second_round(tmp_path):
    run(
        toy_config(tmp_path,
                   rounds=2,
                   local_objective=dict(type='MOON', mu=MU)))
    log = next(tmp_path.glob('*/*.log')).read_text()
    first, second = log.split('Saving checkpoint at 1 epochs')
    assert 'loss_moon' not in first
    assert 'loss_moon' in second


@pytest.mark.parametrize('name, message', [
    ('head', "'head' is not called in training"),
    ('backbone.ln1', "'backbone.ln1' is not given the images"),
])
def test_a_module_that_does_not_see_the_images(tmp_path, name, message):
    cfg = toy_config(tmp_path,
                     rounds=2,
                     local_objective=dict(type='MOON', feature_module=name))
    with pytest.raises(ConfigError, match=message):
        run(cfg)


def test_a_module_that_is_not_there(tmp_path):
    cfg = toy_config(tmp_path,
                     local_objective=dict(type='MOON', feature_module='body'))
    with pytest.raises(ConfigError, match="no 'body'; it has .*backbone"):
        run(cfg)


def test_features_that_are_gone(tmp_path):
    cfg = toy_config(tmp_path, local_objective=dict(type='MOON'))
    cfg.model.passes = 'in_turn'
    with pytest.raises(ConfigError, match="model.passes: 'in_turn'"):
        run(cfg)
