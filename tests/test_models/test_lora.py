"""Low-rank adapters."""

import copy

import pytest
import torch
from mmengine.registry import MODELS

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.lora import LoRA, merge, unsent_entries
from tests.toy import toy_model


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = MODELS.build(toy_model())
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.add_(torch.rand_like(value), alpha=.1)
    return model


def test_the_first_update_is_none(model):
    plain = copy.deepcopy(model)
    adapted = LoRA(rank=2).adapt(model, seed=0)
    images = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        torch.testing.assert_close(
            adapted.model.eval()(images, None),
            plain.eval()(images, None))
    # What was adapted is a copy.
    assert list(model.state_dict()) == list(plain.state_dict())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_merged_model_computes_the_same(model):
    lora = LoRA(rank=3, alpha=6.)
    adapted = lora.adapt(model, seed=0)
    for parameter in adapted.model.parameters():
        if parameter.requires_grad:
            parameter.data.add_(torch.randn_like(parameter), alpha=.1)
    before = copy.deepcopy(model.state_dict())
    adapted.merge_into(model)
    images = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        torch.testing.assert_close(adapted.model.eval()(images, None),
                                   model.eval()(images, None))
    # By hand: W + 6/3 B A.
    block = 'backbone.layers.1.attn.qkv'
    state = adapted.model.state_dict()
    a, b = (state[f'{block}.parametrizations.weight.0.lora_{name}'].numpy()
            for name in 'ab')
    expected = before[f'{block}.weight'].numpy() + 2 * b @ a
    torch.testing.assert_close(model.state_dict()[f'{block}.weight'],
                               torch.tensor(expected))
    for name in ('ln1.weight', 'layers.0.attn.qkv.bias', 'layers.0.ln1.bias',
                 'patch_embed.projection.weight'):
        name = f'backbone.{name}'
        assert torch.equal(model.state_dict()[name], before[name])


def test_what_is_sent(model):
    adapted = LoRA(rank=2).adapt(model, seed=0)
    sent = set(adapted.model.state_dict()) - unsent_entries(adapted.model)
    linears = ['attn.qkv', 'attn.proj', 'ffn.layers.0.0', 'ffn.layers.1']
    expected = {
        f'backbone.layers.{i}.{name}.parametrizations.weight.0.lora_{factor}'
        for i in range(2) for name in linears for factor in 'ab'
    }
    expected |= {name for name in model.state_dict()
                 if name.startswith('head.') or '.gpe.' in name
                 or '.lpe.' in name}
    assert sent == expected
    assert unsent_entries(model) == set()
    # With FFA-LoRA the factors A are left out, too.
    ffa = LoRA(rank=2, freeze_a=True).adapt(model, seed=0)
    assert (set(ffa.model.state_dict()) - unsent_entries(ffa.model)
            == {name for name in expected if not name.endswith('lora_a')})


def test_all_machines_draw_the_same(model):
    first, second, other = (
        merge(LoRA().adapt(model, seed).state_dict()['state'], 1.)
        and LoRA().adapt(model, seed).state_dict()['state']
        for seed in (1, 1, 2))
    name = 'backbone.layers.0.attn.proj.parametrizations.weight.0.lora_a'
    assert torch.equal(first[name], second[name])
    assert not torch.equal(first[name], other[name])
    assert first[name].abs().max() <= 1 / 4  # 1/sqrt(16)
    assert first[name].abs().max() > .9 / 4


def test_a_model_without_transformer_blocks():
    model = torch.nn.Module()
    with pytest.raises(ConfigError, match='no transformer blocks'):
        LoRA().adapt(model, 0)


@pytest.mark.parametrize('arguments, name', [
    (dict(rank=0), 'rank'), (dict(rank=1.5), 'rank'),
    (dict(rank=True), 'rank'), (dict(alpha=0), 'alpha'),
    (dict(alpha=float('inf')), 'alpha')
])
def test_wrong_arguments(arguments, name):
    with pytest.raises(ValueError, match=f'{name} must be'):
        LoRA(**arguments)
