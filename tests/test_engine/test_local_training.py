"""Local objectives and aggregators inside a run."""

import copy

import numpy as np
import pytest
import torch

from mmpose_raf.federation import Aggregator, FedAvg, LocalObjective
from mmpose_raf.registry import AGGREGATORS, LOCAL_OBJECTIVES
from tests.test_engine.by_hand import FederationByHand
from tests.toy import (SIZES, Interrupt, Witness, assert_states_equal,
                       hook_of, run, toy_config, weights_of)

OBJECTIVES = dict(fedprox=dict(type='FedProx', mu=.5),
                  scaffold=dict(type='SCAFFOLD'),
                  feddyn=dict(type='FedDyn', alpha=.2))
FIVE = [
    dict(name=str(i), input_size=SIZES[name])
    for i, name in enumerate(['high', 'mid', 'low', 'low', 'high'])
]
SERVERS = dict(
    fedavgm=dict(type='FedAvgM', momentum=.5),
    fedadam=dict(type='FedAdam'),
    fedyogi=dict(type='FedYogi'),
    fedadagrad=dict(type='FedAdagrad'),
    median=dict(type='CoordinateMedian'),
    trimmed=dict(type='TrimmedMean'),
    krum=dict(type='Krum'),
    multi_krum=dict(type='MultiKrum'),
    clipping=dict(type='NormClipping', max_norm=.05),
)
SGD = dict(optimizer=dict(type='SGD', lr=.05))


class ByHand(FederationByHand):
    """Adds the objective's gradient where the loss's is made."""

    def __init__(self, cfg, first, extra):
        super().__init__(cfg, first)
        self.extra = extra

    def train(self, client, steps):
        self.start = copy.deepcopy(dict(self.model.named_parameters()))
        self.client = client
        return super().train(client, steps)

    def loss(self, model, keys):
        pull = sum(
            self.extra(self.client, p, self.start[name].detach())
            for name, p in model.named_parameters())
        return super().loss(model, keys) + pull


def test_fedprox_is_the_loss_with_a_quadratic(tmp_path):
    """Autograd of mu/2 ||w - w_t||^2 beside the loss gives the same run."""
    cfg = toy_config(tmp_path,
                     rounds=2,
                     hooks=[dict(type='Witness')],
                     optim_wrapper=SGD,
                     local_objective=OBJECTIVES['fedprox'])
    witness = hook_of(run(cfg), Witness)
    by_hand = ByHand(cfg, witness.first,
                     lambda i, w, start: .25 * ((w - start)**2).sum())
    plain = FederationByHand(cfg, witness.first)
    for number, got in enumerate(witness.rounds):
        expected, other = by_hand.round(number), plain.round(number)
        for key in got:
            torch.testing.assert_close(got[key],
                                       expected[key],
                                       rtol=0,
                                       atol=1e-6)
    assert max((got[key].float() - other[key].float()).abs().max()
               for key in got) > 1e-4


@pytest.mark.parametrize('kind', ['local_objective', 'aggregator'])
def test_resume_is_exact(tmp_path, kind):
    for name, config in (OBJECTIVES if kind == 'local_objective' else
                         SERVERS).items():
        options = dict(clients=FIVE,
                       num_samples=13,
                       rounds=3,
                       batch_size=2,
                       **{kind: config})
        whole = run(toy_config(tmp_path / name / 'whole', **options))
        broken = toy_config(tmp_path / name / 'broken',
                            hooks=[dict(type='Interrupt', round_=2)],
                            **options)
        with pytest.raises(KeyboardInterrupt):
            run(broken)
        resumed = run(toy_config(tmp_path / name / 'broken', **options),
                      resume=True)
        assert_states_equal(dict(weights_of(whole)),
                            dict(weights_of(resumed)))


def test_each_algorithm_leads_elsewhere(tmp_path):
    """None of them is ignored."""
    ends = [
        torch.cat([
            value.flatten().double() for value in weights_of(
                run(
                    toy_config(tmp_path / name,
                               clients=FIVE,
                               num_samples=13,
                               batch_size=1,
                               rounds=2,
                               **options))).values()
        ]) for name, options in [
            ('plain', {}),
            *((name, dict(aggregator=config))
              for name, config in SERVERS.items()),
            *((name, dict(local_objective=config))
              for name, config in OBJECTIVES.items())
        ]
    ]
    for i, end in enumerate(ends):
        assert end.isfinite().all()
        for other in ends[:i]:
            assert (end - other).abs().max() > 1e-6


def test_what_waits_lies_on_the_state_device(tmp_path):
    runner = run(
        toy_config(tmp_path, rounds=1, local_objective=dict(type='SCAFFOLD')))
    objective = hook_of(runner).local_objective
    names = {name for name, _ in runner.model.named_parameters()}
    assert set(objective.clients) == {'high', 'low'}
    for state in (*objective.clients.values(), objective.server):
        assert set(state) == names
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    assert set(saved['federation']['local_objective']) == {'clients', 'server'}


@AGGREGATORS.register_module(force=True)
class Poisoned(FedAvg):
    """FedAvg that notes whom it was given."""

    def aggregate(self, global_state, updates):
        self.seen = [update.client for update in updates]
        return super().aggregate(global_state, updates)


def test_an_update_that_is_not_finite_is_refused(tmp_path, monkeypatch):
    from mmpose_raf.engine import federated_hook
    real = federated_hook.clone_state

    def poison(state, device):
        result = real(state, device)
        if runner_hook and runner_hook[0]._active == 1:
            next(iter(result.values())).fill_(float('nan'))
        return result

    runner_hook = []
    original = federated_hook.FederatedHook._start_client

    def start(self, runner, name):
        runner_hook[:] = [self]
        return original(self, runner, name)

    monkeypatch.setattr(federated_hook.FederatedHook, '_start_client', start)
    monkeypatch.setattr(federated_hook, 'clone_state', poison)
    runner = run(
        toy_config(tmp_path,
                   clients=('high', 'mid', 'low'),
                   rounds=2,
                   aggregator=dict(type='Poisoned')))
    assert hook_of(runner).aggregator.seen == ['high', 'low']
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'Client mid sent weights that are not finite' in log
    assert all(value.isfinite().all()
               for value in weights_of(runner).values()
               if value.is_floating_point())


def test_base_classes_are_no_algorithms():
    for registry, base in ((AGGREGATORS, Aggregator),
                           (LOCAL_OBJECTIVES, LocalObjective)):
        assert base.__name__ not in registry.module_dict
        assert len(registry.module_dict) >= 3
        assert np.all([
            issubclass(part, base) for part in registry.module_dict.values()
        ])
    assert Interrupt
