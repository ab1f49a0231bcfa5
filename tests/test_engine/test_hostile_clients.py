"""Hostile clients in whole runs."""

import numpy as np
import pytest
import torch

from mmpose_raf.engine.preflight import check_run
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import FedAvg
from mmpose_raf.registry import AGGREGATORS
from tests.toy import (assert_states_equal, run, run_broken_off, toy_clients,
                       toy_config)

NAMES = ('high', 'low', 'mid')


@AGGREGATORS.register_module(force=True)
class Recording(FedAvg):
    """FedAvg that keeps what it was given."""

    seen = []

    def aggregate(self, global_state, updates):
        Recording.seen.append((global_state, {
            update.client: update.state
            for update in updates
        }))
        return super().aggregate(global_state, updates)


def clients_with(attack, hostile='high'):
    return [
        dict(client, attack=attack) if client['name'] == hostile else client
        for client in toy_clients(*NAMES)
    ]


def sent_in(folder, attack=(), rounds=1, **options):
    """Global weights and what each client sent, round by round."""
    Recording.seen = []
    runner = run(
        toy_config(folder,
                   clients=clients_with(attack),
                   rounds=rounds,
                   aggregator=dict(type='Recording'),
                   **options))
    return Recording.seen, runner


def way(start, state, names):
    return torch.cat([(state[name] - start[name]).flatten()
                      for name in names]).numpy()


def test_updates_are_replaced_parameters_only(tmp_path):
    """The first round is that of an honest run but for what is sent."""
    (start, plain), = sent_in(tmp_path / 'plain')[0]
    seen, runner = sent_in(tmp_path / 'bad', dict(type='SignFlip', scale=3.))
    (begun, poisoned), = seen
    assert_states_equal(dict(start), dict(begun))
    for name in ('low', 'mid'):
        assert_states_equal(dict(plain[name]), dict(poisoned[name]))
    names = [name for name, _ in runner.model.named_parameters()]
    np.testing.assert_allclose(way(start, poisoned['high'], names),
                               -3 * way(start, plain['high'], names),
                               atol=1e-5)
    buffers = set(start) - set(names)
    assert buffers
    for name in buffers:
        assert torch.equal(poisoned['high'][name], plain['high'][name])
    log = next((tmp_path / 'bad').glob('*/*.log')).read_text()
    assert 'Hostile clients, as the config asks for: high' in log


def test_who_looks_at_the_others_comes_last(tmp_path):
    """It is the first to train, and sends the mean less some spread."""
    (start, plain), = sent_in(tmp_path / 'plain')[0]
    seen, runner = sent_in(tmp_path / 'bad',
                           dict(type='ALittleIsEnough', z=.5))
    (_, poisoned), = seen
    assert list(poisoned) == ['low', 'mid', 'high']
    names = [name for name, _ in runner.model.named_parameters()]
    honest = np.stack([way(start, plain[name], names)
                       for name in ('low', 'mid')])
    np.testing.assert_allclose(way(start, poisoned['high'], names),
                               honest.mean(0) - .5 * honest.std(0),
                               atol=1e-5)


def test_several_attacks_follow_each_other(tmp_path):
    """Ten times back and a tenth of it is back once."""
    one, _ = sent_in(tmp_path / 'one', dict(type='SignFlip'))
    two, runner = sent_in(tmp_path / 'two', [
        dict(type='SignFlip', scale=10.), dict(type='ScaleUpdate', scale=.1)
    ])
    for name, _ in runner.model.named_parameters():
        torch.testing.assert_close(one[0][1]['high'][name],
                                   two[0][1]['high'][name])


@pytest.mark.parametrize('attack', [
    dict(type='RandomUpdate'),
    pytest.param(dict(type='ALittleIsEnough'), marks=pytest.mark.slow),
    pytest.param([dict(type='MoveKeypoints', share=.5),
                  dict(type='ScaleUpdate', scale=2.)],
                 marks=pytest.mark.slow),
])
def test_resume_is_exact(tmp_path, attack):
    """Also through a norm clipping that hands on to a stateful rule."""
    options = dict(clients=clients_with(attack), rounds=3, aggregator=dict(
        type='NormClipping', max_norm='median', then=dict(type='FedAdam')))
    whole = run_broken_off(tmp_path, **options)
    assert whole.train_loop.server.aggregator.state_dict()['moments']


def test_another_attack_is_another_run(tmp_path):
    run(toy_config(tmp_path, clients=clients_with(dict(type='SignFlip')),
                   rounds=1))
    cfg = toy_config(tmp_path, clients=clients_with(()), rounds=2)
    with pytest.raises(ConfigError, match='SignFlip'):
        run(cfg, resume=True)


@pytest.mark.parametrize('attack, options, message', [
    (dict(type='Nonsense'), {}, 'clients\\[0\\].attack'),
    ('SignFlip', {}, 'use dict\\(type='),
    (dict(type='SignFlip', scale=-1), {}, 'scale must be > 0'),
    (dict(type='SwapKeypoints', share=2), {}, 'share must lie'),
    (dict(type='BackdoorPatch', joint=3), {}, 'has 3 keypoints'),
    (dict(type='ALittleIsEnough'),
     dict(execution=dict(parallel='clients')), 'updates of the round'),
    (dict(type='SignFlip'),
     dict(aggregator=dict(type='NormClipping', max_norm=-1)), 'must be > 0'),
    (dict(type='SignFlip'),
     dict(aggregator=dict(type='NormClipping', max_norm=1.,
                          then=dict(type='Krum', num_broken=0))),
     'aggregator.then'),
    (dict(type='SignFlip'),
     dict(aggregator=dict(type='NormClipping', max_norm=1.,
                          then=dict(type='Krum'))), '3 take part'),
])
def test_wrong_settings(tmp_path, attack, options, message):
    cfg = toy_config(tmp_path / 'run', clients=clients_with(attack),
                     **options)
    with pytest.raises(ConfigError, match=message):
        check_run(cfg)
    assert not (tmp_path / 'run').exists()


