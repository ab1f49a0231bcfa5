"""Local objectives and aggregators inside a run."""

import copy
import itertools

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.utils import apply_to

from mmpose_raf.engine.objective_steps import ObjectiveSteps
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import (Aggregator, FedAvg, FedProx,
                                   LocalObjective, TrainingStart)
from mmpose_raf.registry import AGGREGATORS, LOCAL_OBJECTIVES
from tests.test_engine.by_hand import (FederationByHand,
                                       assert_like_by_hand)
from tests.toy import (SIZES, Witness, assert_states_equal,
                       hook_of, run, toy_config, weights_of)

OBJECTIVES = dict(fedprox=dict(type='FedProx', mu=.5),
                  scaffold=dict(type='SCAFFOLD'),
                  feddyn=dict(type='FedDyn', alpha=.2),
                  moon=dict(type='MOON', mu=5.),
                  pgfed=dict(type='PGFed', mu=.5, momentum=.5),
                  alignment=dict(type='FeatureAlignment', mu=3.))
FIVE = [
    dict(name=str(i), input_size=SIZES[name], samples_per_second=speed)
    for i, (name, speed) in enumerate(
        zip(['high', 'mid', 'low', 'low', 'high'], [1., 2., 9., 4., 2.5]))
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
    l_dawa=dict(type='LayerwiseDivergenceAware'),
    loss=dict(type='LossAware', num_rounds=4),
    disco=dict(type='DiscrepancyAware',
               distribution='resolution',
               a=.1,
               target='mean'),
)
STALENESS = dict(aggregator=dict(type='StalenessAware'))
NARROW = [dict(client, width=.5) if client['name'] in '24' else client
          for client in FIVE]
#: By name the arguments of federation.
ALGORITHMS = {
    **{name: dict(local_objective=config)
       for name, config in OBJECTIVES.items()},
    **{name: dict(aggregator=config)
       for name, config in SERVERS.items()},
    'fedlaw': dict(aggregator=dict(type='LearnableWeights', proxy_samples=3,
                                   steps=3, server_lr=.1)),
    'fedce': dict(aggregator=dict(type='ContributionFair', proxy_samples=3)),
    'staleness': STALENESS,
    'tuned_staleness': dict(
        aggregator=dict(type='StalenessAware', control_lr=1.,
                        proxy_samples=2)),
    'fresh_model': dict(STALENESS, payload='bfloat16', local_objective=dict(
        type='FreshModel', control_lr=.1)),
    'half_at_a_time': dict(STALENESS, participation=dict(
        fraction=.4, presence={'3': .5})),
    'moon_asynchronous': dict(STALENESS, local_objective=OBJECTIVES['moon']),
    'fedbn': dict(local_params='norm'),
    'personal_head': dict(local_params=['head.*'],
                          local_objective=OBJECTIVES['scaffold']),
    'dropping_out': dict(participation=dict(presence=.5),
                         local_objective=OBJECTIVES['scaffold']),
    'int8': dict(payload='int8', aggregator=SERVERS['fedavgm']),
    'stale_bfloat16': dict(STALENESS, payload='bfloat16'),
    'heterofl': dict(clients=NARROW, aggregator=dict(type='HeteroFL')),
    'fedrolex': dict(clients=NARROW, aggregator=dict(type='FedRolex'),
                     local_objective=OBJECTIVES['fedprox']),
    'fedconv': dict(clients=NARROW, aggregator=dict(
        type='FedConv', proxy_samples=3, steps=2)),
    'narrow_fedbn': dict(clients=NARROW, aggregator=dict(type='HeteroFL'),
                         local_params='norm'),
    'lora': dict(adapters=dict(type='LoRA', rank=2),
                 aggregator=SERVERS['fedavgm']),
    'ffa_lora': dict(adapters=dict(type='LoRA', rank=2, freeze_a=True),
                     local_objective=OBJECTIVES['scaffold']),
    'personal_lora': dict(adapters=dict(type='LoRA', rank=2),
                          local_params=['*.lora_b']),
    'by_schedule': dict(participation=dict(presence={'1': [(2, 9)]}),
                        aggregator=SERVERS['fedadam']),
}
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
    assert_like_by_hand(witness.rounds, by_hand, plain, atol=1e-6, least=1e-4)


def run_five(tmp_path, name, **options):
    return run(
        toy_config(tmp_path / name,
                   num_samples=15,
                   batch_size=2,
                   **dict(dict(clients=FIVE), **options)))


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=[] if name in ('scaffold', 'moon', 'staleness',
                                            'int8', 'fedrolex', 'lora')
                 else pytest.mark.slow) for name in ALGORITHMS
])
def test_resume_is_exact(tmp_path, name):
    options = dict(rounds=4, **ALGORITHMS[name])
    whole = run_five(tmp_path, 'whole', **options)
    with pytest.raises(KeyboardInterrupt):
        run_five(tmp_path,
                 'broken',
                 hooks=[dict(type='Interrupt', round_=3)],
                 **options)
    cfg = toy_config(tmp_path / 'broken',
                     num_samples=15,
                     batch_size=2,
                     **dict(dict(clients=FIVE), **options))
    resumed = run(cfg, resume=True)
    assert_states_equal(dict(weights_of(whole)), dict(weights_of(resumed)))
    states = [
        torch.load(tmp_path / kind / 'epoch_4.pth', weights_only=True)
        for kind in ('whole', 'broken')
    ]
    for key in ('server', 'clients'):
        first, second = (state['federation'][key] for state in states)
        assert_states_equal(first, second)


@pytest.mark.slow
def test_each_algorithm_leads_elsewhere(tmp_path):
    """None of them is ignored."""
    ends = {
        name: torch.cat([
            value.flatten().double() for value in weights_of(
                run_five(tmp_path, name, rounds=2, **options)).values()
        ])
        for name, options in dict(ALGORITHMS, plain={}).items()
    }
    for (one, end), (two, other) in itertools.combinations(ends.items(), 2):
        assert end.isfinite().all()
        assert (end - other).abs().max() > 1e-6, (one, two)


@AGGREGATORS.register_module(force=True)
class Poisoned(FedAvg):
    """FedAvg that notes whom it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def aggregate(self, global_state, updates):
        self.seen.append([update.client for update in updates])
        return super().aggregate(global_state, updates)


@HOOKS.register_module(force=True)
class Poison(Hook):
    """Spoils the weights of a client in one round.

    Args:
        client (str): Its name.
        round_ (int): The round, counted from 0.
    """

    def __init__(self, client, round_):
        self.client, self.round = client, round_

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        sample = data_batch['data_samples'][0]
        if sample.client == self.client and runner.epoch == self.round:
            next(runner.model.parameters()).data.fill_(float('nan'))


@pytest.mark.parametrize('options', [
    dict(aggregator=dict(type='Poisoned')),
    dict(local_objective=dict(type='SCAFFOLD'), local_params='norm'),
    dict(local_objective=dict(type='MOON')),
    pytest.param(STALENESS, marks=pytest.mark.slow),
    pytest.param(dict(ALGORITHMS['fedlaw'], local_params='norm'),
                 marks=pytest.mark.slow),
    pytest.param(dict(aggregator=dict(type='Krum')), marks=pytest.mark.slow),
], ids=['fedavg', 'scaffold', 'moon', 'staleness', 'fedlaw', 'krum'])
def test_an_update_that_is_not_finite_is_refused(tmp_path, options):
    """The others go on without it, and so does it in the next round."""
    # The fast one comes in every round, whatever the clock says.
    client = '2' if options is STALENESS else '4'
    runner = run_five(tmp_path, 'run', rounds=3, **options, hooks=[
        dict(type='Poison', client=client, round_=1), dict(type='EMAHook')])
    aggregator = runner.train_loop.server.aggregator
    if isinstance(aggregator, Poisoned):
        assert aggregator.seen == [[*'01234'], [*'0123'], [*'01234']]
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert f'The update of client {client} is refused: not finite' in log
    assert 'refused: not finite' in log
    if options.get('aggregator') == dict(type='Krum'):
        assert 'The aggregator needs 5 updates, there are 4' in log
    saved = torch.load(tmp_path / 'run' / 'epoch_3.pth', weights_only=True)
    tensors = []
    apply_to(saved, lambda value: isinstance(value, torch.Tensor),
             tensors.append)
    assert len(tensors) > 100
    assert all(value.isfinite().all() for value in tensors
               if value.is_floating_point())


@pytest.mark.parametrize('name', ['scaffold', 'fedadam', 'fedbn'])
def test_updates_added_up_as_they_come(tmp_path, name):
    """The same weights; norms, but no cosines."""
    first, second = (run_five(tmp_path, str(kept), rounds=3,
                              keep_updates=kept, **ALGORITHMS[name])
                     for kept in (True, False))
    assert second.train_loop.server.is_folding
    for key, value in weights_of(first).items():
        torch.testing.assert_close(weights_of(second)[key], value, rtol=1e-5,
                                   atol=1e-5)
    logs = [next((tmp_path / kind).glob('*/vis_data/scalars.json')).read_text()
            for kind in ('True', 'False')]
    for log in logs:
        assert '/update_norm"' in log
    assert ['/update_cosine"' in log for log in logs] == [True, False]


def test_base_classes_are_no_algorithms():
    for registry, base in ((AGGREGATORS, Aggregator),
                           (LOCAL_OBJECTIVES, LocalObjective)):
        assert base.__name__ not in registry.module_dict
        assert len(registry.module_dict) >= 3
        assert np.all([
            issubclass(part, base) for part in registry.module_dict.values()
        ])


class Still(torch.optim.SGD):
    """An optimizer whose steps lead nowhere, whatever it is told."""

    def step(self, closure=None):
        pass


def test_gradients_that_the_optimizer_unscales():
    """What is added to scaled gradients is scaled as well."""
    model = torch.nn.Linear(2, 1)
    optimizer = Still(model.parameters(), lr=.1)
    steps = ObjectiveSteps(model, optimizer, FedProx(1.), ())
    anchor = copy.deepcopy(model.state_dict())
    # As GradScaler tells fused optimizers; None where it has unscaled.
    for scale, found_inf, expected in ((torch.tensor(1024.), 1., 0.),
                                       (None, 1., 0.),
                                       (torch.tensor(1024.), 0., 1024.),
                                       (None, 0., 1.)):
        for name, parameter in model.named_parameters():
            parameter.data = anchor[name] + 1
            parameter.grad = torch.zeros_like(parameter)
        optimizer.grad_scale = scale
        optimizer.found_inf = torch.tensor(found_inf)
        with steps.taking_part(TrainingStart(anchor)) as lr_sums:
            optimizer.step()
        for parameter in model.parameters():
            torch.testing.assert_close(
                parameter.grad, torch.full_like(parameter, expected))
        assert set(lr_sums.values()) == {0. if found_inf else .1}


def test_the_objective_is_gone_once_the_client_has_trained():
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=.1)
    steps = ObjectiveSteps(model, optimizer, FedProx(1.), ())
    anchor = {
        name: value + 1
        for name, value in model.state_dict().items()
    }
    with pytest.raises(KeyboardInterrupt):
        with steps.taking_part(TrainingStart(anchor)):
            raise KeyboardInterrupt
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert all((parameter.grad == 0).all() for parameter in model.parameters())


def test_nothing_shared_is_trained():
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=.1)
    with pytest.raises(ConfigError, match='no shared parameter is trained'):
        ObjectiveSteps(model, optimizer, FedProx(1.), ['weight', 'bias'])
