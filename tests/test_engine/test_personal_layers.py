"""Layers that stay with their clients."""

import copy

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmpose_raf.engine.client_export import export_client
from mmpose_raf.engine.personal_layers import find_personal
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import FedAvg
from mmpose_raf.registry import AGGREGATORS
from mmpose_raf.evaluation.drift_result import DriftResult
from tests.test_engine.many_sizes import evaluate, evaluation_config
from tests.toy import Witness, hook_of, run, toy_config, weights_of

NORMS = nn.ModuleDict(
    dict(a=nn.Conv2d(3, 4, 1),
         b=nn.BatchNorm2d(4),
         c=nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4)),
         d=nn.GroupNorm(2, 4),
         e=nn.SyncBatchNorm(4)))


@pytest.mark.parametrize('patterns, expected', [
    ('norm', ['b.', 'c.1.', 'd.', 'e.']),
    (['b.running_*'], ['b.running_mean', 'b.running_var']),
    (['c.*', 'd.weight'], ['c.', 'd.weight']),
    ((), []),
])
def test_patterns(patterns, expected):
    found = find_personal(NORMS, patterns)
    assert found == [
        name for name in NORMS.state_dict()
        if name.startswith(tuple(expected))
    ]


@pytest.mark.parametrize('patterns, message', [
    (['neck.*'], "'neck.\\*' fits no entry"),
    (['*'], 'nothing is left'),
])
def test_wrong_patterns(patterns, message):
    with pytest.raises(ConfigError, match=message):
        find_personal(NORMS, patterns)


def test_a_model_without_norms():
    with pytest.raises(ConfigError, match='no normalisation layers'):
        find_personal(nn.Linear(2, 2), 'norm')


@AGGREGATORS.register_module(force=True)
class Spy(FedAvg):
    """FedAvg that remembers which updates it was given."""

    def __init__(self):
        super().__init__()
        self.rounds = []

    def aggregate(self, global_state, updates):
        self.rounds.append((global_state, list(updates)))
        return super().aggregate(global_state, updates)


@pytest.fixture(scope='module')
def fedbn(tmp_path_factory):
    path = tmp_path_factory.mktemp('fedbn')
    runner = run(
        toy_config(path,
                   clients=('high', 'mid', 'low'),
                   rounds=3,
                   hooks=[dict(type='Witness')],
                   local_params='norm',
                   aggregator=dict(type='Spy')))
    return path, runner


def own_layers(runner):
    """The clients' own layers by name."""
    loop = runner.train_loop
    return {
        name: state.personal
        for name, state in zip(loop.names, loop.states)
    }


def test_they_are_never_sent(fedbn):
    _, runner = fedbn
    norms = set(find_personal(runner.model, 'norm'))
    assert any('running_var' in name for name in norms)
    for start, updates in runner.train_loop.server.aggregator.rounds:
        for state in (start, *(update.state for update in updates)):
            assert set(state) == set(weights_of(runner)) - norms
        for update in updates:
            assert set(update.parameters) <= set(update.state)


def test_global_model_keeps_its_first(fedbn):
    _, runner = fedbn
    witness = hook_of(runner, Witness)
    last, first = witness.rounds[-1], witness.first
    for name, value in last.items():
        is_norm = name in find_personal(runner.model, 'norm')
        assert torch.equal(value, first[name]) == is_norm, name


def test_each_client_has_its_own(fedbn):
    _, runner = fedbn
    states = own_layers(runner)
    assert list(states) == ['high', 'mid', 'low']
    key = 'head.deconv_layers.1.running_var'
    assert len({tuple(state[key].tolist()) for state in states.values()}) == 3
    # Each level of 2, 2 and 1 batches in each of 3 rounds: nobody else's.
    assert [
        state['head.deconv_layers.1.num_batches_tracked'].item()
        for state in states.values()
    ] == [3 * 2 * 3, 3 * 2 * 2, 3 * 1 * 1]


def test_a_client_goes_on_from_its_own(tmp_path):
    """One client with personal layers is plain training of all of them."""
    options = dict(clients=('mid', ), rounds=3)
    plain = weights_of(run(toy_config(tmp_path / 'plain', **options)))
    runner = run(
        toy_config(tmp_path / 'own',
                   local_params=['head.*', 'backbone.layers.0.*'],
                   **options))
    own = dict(weights_of(runner), **own_layers(runner)['mid'])
    for name, value in plain.items():
        torch.testing.assert_close(own[name], value, rtol=0, atol=1e-6)


def test_a_moving_average_is_of_nobodys_own(tmp_path):
    """Not even the mean over time knows the clients' layers."""
    runner = run(
        toy_config(tmp_path,
                   hooks=[dict(type='EMAHook', momentum=.5),
                          dict(type='Witness')],
                   local_params='norm'))
    first = hook_of(runner, Witness).first
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)
    for name in find_personal(runner.model, 'norm'):
        assert torch.equal(saved['state_dict'][name], first[name]), name
    name = 'head.final_layer.weight'
    assert not torch.equal(saved['state_dict'][name], first[name])


def test_export(fedbn, tmp_path):
    path, runner = fedbn
    out = tmp_path / 'low.pth'
    export_client(path / 'epoch_3.pth', 'low', out)
    saved = CheckpointLoader.load_checkpoint(str(out), map_location='cpu')
    own = own_layers(runner)['low']
    for name, value in weights_of(runner).items():
        assert torch.equal(saved['state_dict'][name], own.get(name, value))
    assert saved['meta']['client'] == 'low'


@pytest.mark.parametrize('file, client, message', [
    ('epoch_9.pth', 'low', 'checkpoint: no such file'),
    ('epoch_3.pth', 'lowest', "client: no client 'lowest'.*high, mid, low"),
    ('plain.pth', 'low', 'no client has layers of its own'),
    ('list.pth', 'low', 'holds a list instead of named weights'),
])
def test_wrong_export(fedbn, tmp_path, file, client, message):
    path, _ = fedbn
    torch.save(dict(state_dict={}), path / 'plain.pth')
    torch.save([1, 2], path / 'list.pth')
    with pytest.raises(ConfigError, match=message):
        export_client(path / file, client, tmp_path / 'out.pth')
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(fedbn, tmp_path):
    path, _ = fedbn
    out = tmp_path / 'mine.pth'
    out.write_text('precious')
    with pytest.raises(ConfigError, match='is there already'):
        export_client(path / 'epoch_3.pth', 'low', out)
    assert out.read_text() == 'precious'


def judge(cfg, checkpoint):
    """EPE of each client on its part, judged by a test of a checkpoint."""
    cfg = copy.deepcopy(cfg)
    cfg.load_from = str(checkpoint)
    cfg.work_dir = str(checkpoint.with_suffix(''))
    cfg.experiment_name = checkpoint.stem
    evaluate(cfg)
    result = DriftResult.load(checkpoint.with_suffix('') / 'drift.json')
    return {client.name: client.metrics['EPE'] for client in result.clients}


def test_each_client_is_judged_with_its_own(tmp_path):
    """As its exported model is, which has no others."""
    cfg = evaluation_config(tmp_path, metrics=[dict(type='EPE')])
    cfg.custom_hooks[0].local_params = 'norm'
    run(cfg)
    checkpoint = tmp_path / 'epoch_2.pth'
    own = judge(cfg, checkpoint)
    assert set(own) == {'high', 'low'}
    for name in own:
        path = tmp_path / f'{name}.pth'
        export_client(checkpoint, name, path)
        exported = judge(cfg, path)
        assert exported[name] == pytest.approx(own[name], abs=1e-5)
        others = set(own) - {name}
        assert all(abs(exported[other] - own[other]) > 1e-3
                   for other in others)
