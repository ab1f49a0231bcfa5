"""Clients of several processes: the run of one process, faster."""

import itertools
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.hooks import EMAHook, Hook, SyncBuffersHook
from mmengine.registry import HOOKS
from torch import nn

from mmpose_raf.engine import parallel_clients
from mmpose_raf.engine.parallel_clients import assign_clients
from mmpose_raf.errors import ConfigError
from tests import processes
from tests.toy import (OPTIMIZER, Witness, assert_states_equal, hook_of, run,
                       toy_config)

# Three clients on two processes: one has two of them.
SIZES = ('high', 'mid', 'low')
SCHEDULE = [
    dict(type='LinearLR', start_factor=.01, end=3, by_epoch=False),
    dict(type='ExponentialLR', gamma=.7, by_epoch=True),
]
CASES = dict(
    plain=dict(param_scheduler=SCHEDULE,
               optim_wrapper=dict(optimizer=dict(OPTIMIZER),
                                  clip_grad=dict(max_norm=.1))),
    # Rounds in which one of the processes has nobody.
    absent=dict(participation=.34, local_objective=dict(type='SCAFFOLD')),
    # Sums over what all clients send depend on its order.
    uploads=dict(local_objective=dict(type='SCAFFOLD')),
    personal=dict(local_params='norm', local_objective=dict(type='MOON')),
    refused=dict(hooks=['Spoiler'],
                 aggregator=dict(type='FedAdam', server_lr=.01)),
    # The mean is folded in another order.
    folded=dict(keep_updates=False,
                aggregator=dict(type='FedAvg', weighting='samples'),
                partitioner=dict(type='RandomPartitioner',
                                 samples_per_client=[6, 3, 2])),
    proxy=dict(aggregator=dict(type='LearnableWeights', proxy_samples=2)),
)
EXACT = [case for case in CASES if case != 'folded']
SCRIPT = '''
import sys
import torch
from tests.processes import take_part
from tests.test_engine.test_parallel_clients import CASES, make_config, note
from tests.toy import run

folder, mode = sys.argv[1:]
for case in CASES:
    cfg = make_config(f'{folder}/{case}', case)
    take_part(cfg)
    runner = run(cfg, resume=mode == 'resumed')
    torch.save(note(runner), f'{folder}/{case}/{mode}_{runner.rank}.pth')
'''


def make_config(folder, case, **options):
    options = {**CASES[case], **options}
    hooks = [dict(type='Witness'), dict(type='SyncBuffersHook'),
             *(dict(type=name) for name in options.pop('hooks', []))]
    cfg = toy_config(folder,
                     clients=SIZES,
                     rounds=3,
                     drop_path_rate=.3,
                     execution=dict(parallel='clients'),
                     hooks=hooks,
                     val=True,
                     **options)
    # Not after each round, but for the best, which is without the optimizer.
    cfg.default_hooks.checkpoint.update(interval=2,
                                        save_best='score',
                                        rule='greater')
    return cfg


@HOOKS.register_module(force=True)
class Spoiler(Hook):
    """Spoils what the client in the middle sends in the second round."""

    priority = 'VERY_HIGH'

    def after_train_iter(self, runner, data_batch=None, **kwargs):
        if runner.epoch == 1 and data_batch['data_samples'][0].client == 'mid':
            next(runner.model.parameters()).data[:] = float('nan')


def note(runner):
    """What must not depend on the number of processes."""
    witness = hook_of(runner, Witness)
    if runner.world_size > 1:
        assert not hook_of(runner, SyncBuffersHook).distributed
    return dict(world_size=runner.world_size,
                rounds=[dict(state) for state in witness.rounds],
                seen=[(step['round'], step['client'])
                      for step in witness.iterations],
                traffic=runner.train_loop.report.traffic,
                scores=runner.message_hub.get_scalar('val/score').data[0])


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """All cases on two processes, and resumed after the second round."""
    folder = tmp_path_factory.mktemp('parallel')
    processes.launch(folder, SCRIPT, 'whole')
    for case in CASES:
        (folder / case / 'epoch_3.pth').rename(folder / case / 'whole.pth')
        (folder / case / 'last_checkpoint').write_text(
            str(folder / case / 'epoch_2.pth'))
    processes.launch(folder, SCRIPT, 'resumed')
    return folder


def load(path):
    return torch.load(path, weights_only=False)


def assert_close(found, expected, is_exact):
    if is_exact:
        assert_states_equal(found, expected)
    else:
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize('case', CASES)
def test_the_run_of_one_process(folder, tmp_path, case):
    ranks = [load(folder / case / f'whole_{rank}.pth') for rank in range(2)]
    alone = note(run(make_config(tmp_path, case)))
    assert alone['world_size'] == 1
    for rank in ranks:
        assert rank['world_size'] == 2
        assert_close(rank['rounds'], alone['rounds'], case in EXACT)
        assert rank['traffic'] == alone['traffic']
        assert rank['scores'] == pytest.approx(alone['scores'], abs=1e-6)
    # Each trains its own clients, and together they train all.
    first, second = ({client for _, client in rank['seen']} for rank in ranks)
    assert not first & second
    assert sorted(itertools.chain(*(rank['seen'] for rank in ranks))
                  ) == sorted(alone['seen'])
    # The main process writes what the clients of both keep.
    found, expected = load(folder / case / 'whole.pth'), load(
        tmp_path / 'epoch_3.pth')
    assert_close(dict(found['state_dict']), dict(expected['state_dict']),
                 case in EXACT)
    found, expected = found['federation'], expected['federation']
    if case not in EXACT:
        found, expected = ([
            client['optimizer'] for client in part['clients'].values()
        ] for part in (found, expected))
    assert_close(found, expected, case in EXACT)


@pytest.mark.slow
@pytest.mark.parametrize('case', CASES)
def test_a_resumed_run_is_the_whole(folder, case):
    for rank in range(2):
        whole, resumed = (load(folder / case / f'{mode}_{rank}.pth')
                          for mode in ('whole', 'resumed'))
        assert_states_equal(resumed['rounds'], whole['rounds'][2:])
    assert_states_equal(
        load(folder / case / 'epoch_3.pth')['federation'],
        load(folder / case / 'whole.pth')['federation'])


@pytest.mark.slow
def test_one_process_goes_on_where_two_have_stopped(folder, tmp_path):
    whole = load(folder / 'personal' / 'whole_0.pth')
    cfg = make_config(tmp_path, 'personal')
    runner = run(cfg, resume=True,
                 load_from=str(folder / 'personal' / 'epoch_2.pth'))
    assert_states_equal(note(runner)['rounds'], whole['rounds'][2:])


# -- who trains whom ---------------------------------------------------------


def test_the_dearest_clients_are_apart():
    assert assign_clients([3, 2, 1], 2) == [0, 1, 1]
    assert assign_clients([1, 1, 5, 4], 2) == [1, 0, 0, 1]


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 4))
def test_no_process_has_much_more_to_do(costs, num_processes):
    """Graham's bound, against the best of all assignments."""
    owners = assign_clients(costs, num_processes)
    assert len(owners) == len(costs)
    assert set(owners) <= set(range(num_processes))

    def longest(assignment):
        loads = [0] * num_processes
        for cost, owner in zip(costs, assignment):
            loads[owner] += cost
        return max(loads)

    best = min(map(longest, itertools.product(range(num_processes),
                                              repeat=len(costs)))
               ) if len(costs) <= 6 else max(
                   max(costs), sum(costs) / num_processes)
    bound = 4 / 3 if len(costs) <= 6 else 2
    assert longest(owners) <= bound * best + 1e-9


# -- errors ------------------------------------------------------------------


def fake_runner(*hooks, wrapper=nn.parallel.DistributedDataParallel, **cfg):
    model = mock.Mock(spec=wrapper)
    return mock.Mock(model=model, hooks=hooks, cfg=cfg)


@pytest.mark.parametrize('runner, model, num_clients, field', [
    (fake_runner(), nn.Linear(1, 1), 1, 'federation.execution.parallel'),
    (fake_runner(wrapper=nn.DataParallel), nn.Linear(1, 1), 2,
     'federation.execution.parallel'),
    (fake_runner(), nn.Sequential(nn.SyncBatchNorm(2)), 2, 'sync_bn'),
    (fake_runner(sync_bn='mmcv'), nn.Linear(1, 1), 2, 'sync_bn'),
    (fake_runner(auto_scale_lr=dict(enable=True)), nn.Linear(1, 1), 2,
     'auto_scale_lr'),
    (fake_runner(mock.Mock(spec=EMAHook)), nn.Linear(1, 1), 2,
     'custom_hooks.EMAHook'),
])
def test_what_would_wait_for_other_processes_is_refused(
        monkeypatch, runner, model, num_clients, field):
    monkeypatch.setattr(parallel_clients, 'get_world_size', lambda: 2)
    parallel_clients.check_parallel_runner(
        fake_runner(auto_scale_lr=dict(enable=False)), nn.Linear(1, 1), 2)
    with pytest.raises(ConfigError) as error:
        parallel_clients.check_parallel_runner(runner, model, num_clients)
    assert error.value.field == field


def test_asynchronous_clients_are_refused(tmp_path):
    with pytest.raises(ConfigError, match='federation.execution.parallel'):
        run(toy_config(tmp_path,
                       execution=dict(parallel='clients'),
                       aggregator=dict(type='StalenessAware')))


def test_another_word_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="use 'batches' or 'clients'"):
        run(toy_config(tmp_path, execution=dict(parallel='models')))
