"""Clients that train adapters, in runs."""

import pytest
import torch

from mmpose_raf.engine.client_export import export_client
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import FedAvg
from mmpose_raf.registry import AGGREGATORS
from tests.toy import Witness, hook_of, run, toy_config, weights_of



@AGGREGATORS.register_module(force=True)
class SeenByLoRA(FedAvg):
    """FedAvg that remembers what it was given."""

    def aggregate(self, global_state, updates):
        self.seen = [update.state for update in updates]
        return super().aggregate(global_state, updates)


BLOCK = 'backbone.layers.0.attn.qkv'
INNER = f'{BLOCK}.parametrizations.weight'
# A new head's gradients are tiny.
SGD = dict(optimizer=dict(type='SGD', lr=1e3))
LORA = dict(type='LoRA', rank=2, alpha=6.)


def run_one_step(path, **options):
    """A round in which each client makes one step."""
    return run(toy_config(path, rounds=1, num_samples=4, optim_wrapper=SGD,
                          hooks=[dict(type='Witness')], **options))


@pytest.mark.parametrize('freeze_a', [False, True])
def test_a_step_is_that_of_the_formula(tmp_path, freeze_a):
    """As B is 0, dL/dB = s G A^T and dL/dA = 0, with dL/dW = G.

    So W goes by -lr s^2 G A^T A, and G is known from a step of the whole
    model.
    """
    plain = run_one_step(tmp_path / 'plain')
    adapted = run_one_step(tmp_path / 'lora',
                           adapters=dict(LORA, freeze_a=freeze_a))
    first = hook_of(plain, Witness).first
    whole, got = weights_of(plain), weights_of(adapted)
    assert list(got) == list(whole)  # merged, under their standard names
    saved = torch.load(tmp_path / 'lora/epoch_1.pth', weights_only=True)
    a = saved['federation']['adapters']['state'][f'{INNER}.0.lora_a']
    name = f'{BLOCK}.weight'
    step = whole[name] - first[name]
    torch.testing.assert_close(got[name] - first[name], 9 * step @ a.T @ a,
                               rtol=1e-3, atol=1e-7)
    assert step.abs().max() > 1e-3
    for name, value in got.items():
        if name.startswith('head.') or '.lpe.' in name or '.gpe.' in name:
            torch.testing.assert_close(
                value, whole[name], rtol=1e-3, atol=1e-5)
        elif 'attn' not in name and 'ffn' not in name or 'bias' in name:
            assert torch.equal(value, first[name])  # frozen
    # Sent is what is trained, and nothing else.
    sent = adapted.train_loop.server.state
    assert f'{INNER}.0.lora_b' in sent
    assert (f'{INNER}.0.lora_a' in sent) != freeze_a
    traffic = adapted.train_loop.report.traffic
    assert traffic.up == traffic.down == 2 * sum(
        value.numel() * value.element_size() for value in sent.values())


def test_updates_stay_of_low_rank(tmp_path):
    runner = run(toy_config(tmp_path, rounds=3, adapters=LORA,
                            hooks=[dict(type='Witness')]))
    first, last = hook_of(runner, Witness).first, weights_of(runner)
    for name in (f'{BLOCK}.weight', 'backbone.layers.1.ffn.layers.1.weight'):
        values = torch.linalg.svdvals(last[name] - first[name])
        assert values[1] > 1e-3 > 1e-5 > values[2]


def test_the_mean_of_the_products_is_exact_with_one_a(tmp_path):
    """The merged weights are then the mean of the clients' own."""
    for freeze_a, is_exact in ((True, True), (False, False)):
        path = tmp_path / str(freeze_a)
        runner = run(toy_config(path, rounds=2, aggregator=dict(
            type='SeenByLoRA'), adapters=dict(LORA, freeze_a=freeze_a),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=.1))))
        saved = torch.load(path / 'epoch_2.pth', weights_only=True)
        state = saved['federation']['adapters']['state']
        base = state[f'{INNER}.original']
        own = [
            base + 3 * update[f'{INNER}.0.lora_b'] @ update.get(
                f'{INNER}.0.lora_a', state[f'{INNER}.0.lora_a'])
            for update in runner.train_loop.server.aggregator.seen
        ]
        difference = weights_of(runner)[f'{BLOCK}.weight'] - sum(own) / 2
        assert (difference.abs().max() < 1e-5) == is_exact
        assert (own[0] - own[1]).abs().max() > 1e-3


def test_personal_adapters(tmp_path):
    runner = run(toy_config(tmp_path, rounds=2, adapters=LORA,
                            hooks=[dict(type='Witness')],
                            local_params=['*.lora_b']))
    loop = runner.train_loop
    assert not any(name.endswith('lora_b') for name in loop.server.state)
    own = [state.personal[f'{INNER}.0.lora_b'] for state in loop.states]
    assert not torch.equal(*own)
    # The global model has no updates, a client's own has its.
    name = f'{BLOCK}.weight'
    first = hook_of(runner, Witness).first[name]
    assert torch.equal(weights_of(runner)[name], first)
    a = loop.server.state[f'{INNER}.0.lora_a']
    for client, b in zip(('high', 'low'), own):
        out = tmp_path / f'{client}.pth'
        export_client(tmp_path / 'epoch_2.pth', client, out)
        state = torch.load(out, weights_only=True)['state_dict']
        assert list(state) == list(weights_of(runner))
        torch.testing.assert_close(state[name], first + 3 * b @ a)
        assert (state[name] - first).abs().max() > 1e-4


def test_not_with_narrower_clients(tmp_path):
    cfg = toy_config(tmp_path, adapters=LORA,
                     aggregator=dict(type='HeteroFL'))
    cfg.custom_hooks[0]['clients'][1]['width'] = .5
    with pytest.raises(ConfigError, match='federation.adapters: they adapt'):
        run(cfg)
