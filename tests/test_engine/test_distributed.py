"""A federation on several processes."""

import json

import pytest
import torch

from mmpose_raf.evaluation import DriftResult
from tests import processes
from tests.test_engine.by_hand import FederationByHand
from tests.test_engine.many_sizes import (evaluate, evaluation_config,
                                          oracle)
from tests.toy import assert_states_equal, toy_config

CASES = dict(
    # Four samples and three: one of the ranks has the last one twice.
    plain=dict(),
    # One sample for two ranks, and accumulation over an incomplete group.
    small=dict(clients=('high', 'mid', 'low'),
               num_samples=9,
               batch_size=1,
               local_epochs=2,
               partitioner=dict(type='RandomPartitioner',
                                samples_per_client=[1, 3, 5]),
               aggregator=dict(type='FedAvg', weighting='samples'),
               optim_wrapper=dict(optimizer=dict(type='SGD',
                                                 lr=.05,
                                                 momentum=.9),
                                  accumulative_counts=2,
                                  clip_grad=dict(max_norm=.1))),
)
# Of which there is no version by hand: all processes must agree.
ALGORITHMS = dict(
    loss_aware=dict(aggregator=dict(type='LossAware', num_rounds=4),
                    clients=('high', 'mid', 'low'),
                    num_samples=12),
    proxy=dict(aggregator=dict(type='ContributionFair', proxy_samples=2),
               local_objective=dict(type='MOON'),
               local_params='norm',
               num_samples=12))
SCRIPT = '''
import sys
import torch
from tests.processes import take_part
from tests.test_engine.test_distributed import make_config
from tests.toy import Witness, client_states, hook_of, run

folder, case, resume = sys.argv[1:4]
cfg = make_config(folder, case)
take_part(cfg)
runner = run(cfg, resume=resume == 'resume')
witness = hook_of(runner, Witness)
torch.save(
    dict(
        world_size=runner.world_size,
        first=witness.first,
        rounds=witness.rounds,
        seen=[(s['client'], tuple(s['samples'])) for s in witness.iterations],
        clients=client_states(runner)),
    f'{folder}/rank_{runner.rank}_{resume}.pth')
'''


def make_config(folder, case):
    options = {
        'num_samples': 7,
        'batch_size': 2,
        **dict(CASES, **ALGORITHMS)[case]
    }
    return toy_config(folder,
                      rounds=2,
                      hooks=[dict(type='Witness')],
                      **options)


def launch(folder, case, resume='new'):
    processes.launch(folder, SCRIPT, case, resume)
    return [
        torch.load(folder / f'rank_{rank}_{resume}.pth', weights_only=False)
        for rank in range(2)
    ]


@pytest.mark.slow
@pytest.mark.parametrize('case', CASES)
def test_two_processes(tmp_path, case):
    ranks = launch(tmp_path, case)
    one, two = ranks
    assert one['world_size'] == 2
    assert_states_equal(one['rounds'], two['rounds'])
    assert_states_equal(one['clients'], two['clients'])
    # They work on the same client at the same time, on different samples.
    assert [client for client, _ in one['seen']
            ] == [client for client, _ in two['seen']]
    assert one['seen'] != two['seen']

    by_hand = FederationByHand(make_config(tmp_path, case),
                               one['first'],
                               world_size=2)
    assert len(one['rounds']) == 2
    for number, got in enumerate(one['rounds']):
        expected = by_hand.round(number)
        for key, value in expected.items():
            torch.testing.assert_close(got[key], value, rtol=0, atol=2e-6)

    # The last checkpoint is the global model, and a resume finds it.
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)
    assert_states_equal(dict(saved['state_dict']), dict(one['rounds'][-1]))
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    for resumed, whole in zip(launch(tmp_path, case, 'resume'), ranks):
        assert_states_equal(resumed['rounds'], whole['rounds'][1:])
        assert_states_equal(resumed['clients'], whole['clients'])


EVALUATION = '''
import json
import sys
from unittest import mock
import torch
from mmengine.runner import Runner
from tests.processes import take_part
from tests.test_engine.many_sizes import PCK, evaluation_config, oracle
import tests.toy

folder, = sys.argv[1:]
# An odd number: one of the processes has a sample twice.
cfg = evaluation_config(folder, oracle(), num_samples=9)
take_part(cfg)
with mock.patch('mmengine.runner.runner.get_device', lambda: 'cpu'):
    runner = Runner.from_cfg(cfg)
    metrics = runner.test()
with open(f'{folder}/metrics_{runner.rank}.json', 'w') as file:
    json.dump(metrics, file, default=float)
'''


@pytest.mark.slow
def test_many_sizes_in_two_processes(tmp_path):
    processes.launch(tmp_path, EVALUATION)
    one, two = (json.loads((tmp_path / f'metrics_{rank}.json').read_text())
                for rank in range(2))
    assert one == two
    _, expected = evaluate(
        evaluation_config(tmp_path / 'single', oracle(), num_samples=9))
    assert one == pytest.approx(expected, abs=1e-6)
    result = DriftResult.load(tmp_path / 'drift.json')
    assert result.num_samples == 9
    assert result.clients == []  # of one process alone
    assert all(found.ceiling['PCK'] == 1 for found in result.views)


@pytest.mark.slow
@pytest.mark.parametrize('case', ALGORITHMS)
def test_processes_agree(tmp_path, case):
    first, second = launch(tmp_path, case)
    for one, other in zip(first['rounds'], second['rounds']):
        assert_states_equal(dict(one), dict(other))
