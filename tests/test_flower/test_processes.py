"""A SuperLink and SuperNodes as processes, with TLS and keys."""

import copy
import os
import time

import pytest
import torch

from mmpose_raf.flower.trial import Trial
from tests.test_flower.deployed import deploy, grid_of, write_config
from tests.test_flower.test_faults import Broken, truncate
from tests.toy import assert_states_equal, toy_config

# When Flower notices a kill depends on its heartbeat and on how busy the
# machine is: of little use in a suite that shares its cores.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        'KILL_PROCESSES' not in os.environ,
        reason='kills real processes for minutes: run `make faults`')
]
DEADLINE = 600


def wait_until(trial, condition):
    end = time.monotonic() + DEADLINE
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(trial.log()[-2000:])
        time.sleep(.5)
    return found


def wait_for_end(trial, number):
    wait_until(trial, lambda: has_ended(trial))
    end = time.monotonic() + DEADLINE
    # Each question costs a process.
    while not (status := trial.status(number)['status']).startswith('fin'):
        assert time.monotonic() < end, status
        time.sleep(3)
    return status


def has_ended(trial):
    """Whether the last round is over; restarts a client, as a service does.

    Until its heartbeat is missed, it is refused and ends again.
    """
    low = trial.processes.get('low')
    if low is None or low.poll() is not None:
        trial.start_node('low')
    return (trial.folder / 'server/epoch_5.pth').exists()


def trainings_of(trial, client):
    """How often a client's process has begun to train."""
    return len(list((trial.folder / f'client_{client}').glob('2*')))


def test_what_is_killed_comes_back_and_who_is_hostile_stays_out(tmp_path):
    """One federation, in which all of it happens:

    A client with a key that nobody registered, one with another learning
    rate, one whose updates are truncated; in round 2 everything on the
    server is killed, in round 3 a client, which Flower misses after a
    minute.
    """
    cfg = toy_config(tmp_path / 'simulated', clients=('high', 'low', 'mid'),
                     rounds=5, num_samples=14, local_params='norm',
                     local_objective=dict(type='SCAFFOLD'), max_refusals=99)
    imports = ['mmpose_raf', 'tests.toy']
    cfg.custom_imports = dict(imports=imports)
    config = write_config(cfg, tmp_path / 'config.py')
    cfg.custom_imports = dict(imports=[*imports, 'tests.test_flower.hostile'])
    hostile = write_config(cfg, tmp_path / 'hostile.py')
    cfg.optim_wrapper.optimizer.lr = .5
    wrong = write_config(cfg, tmp_path / 'wrong.py')
    with Trial(tmp_path / 'trial', config, ['high', 'low']) as trial:
        trial.make_key('mid', 'wrong', 'stranger')
        trial.register('mid')
        trial.register('wrong')
        trial.start_node('mid', config=hostile)
        trial.start_node('wrong', client='low', config=wrong)
        trial.start_node('stranger', client='high')
        trial.submit(evaluate='none', wait=DEADLINE)
        wait_until(trial, lambda: 'Round [2/5] asks' in trial.log())
        wait_until(trial, lambda: trainings_of(trial, 'high') == 2)
        first_log = trial.log()
        # It was refused: its process has ended.
        assert trial.processes['stranger'].wait(60) != 0
        trial.kill('link')
        trial.kill('wrong')
        trial.start_link()
        number = trial.submit(evaluate='none', wait=DEADLINE, resume=True)
        trained = trainings_of(trial, 'low')
        # Round 2, again, and round 3.
        wait_until(trial, lambda: 'Round [3/5] asks' in trial.log())
        wait_until(trial, lambda: trainings_of(trial, 'low') >= trained + 2)
        trial.kill('low')
        assert wait_for_end(trial, number) == 'finished:completed'
        log = trial.log()
        assert trial.survivors()
    assert trial.survivors() == []
    assert 'optim_wrapper.optimizer.lr: the server has 0.01, this client ' \
        '0.5' in first_log
    for text in (first_log, log):
        assert 'The update of client mid is refused: its tensors have' in text
    saved = [
        torch.load(tmp_path / f'trial/server/epoch_{round_}.pth',
                   weights_only=True) for round_ in (1, 2, 3, 4, 5)
    ]
    assert 'Client low is absent: Flower says' in log
    taken = [each['federation']['taken'] for each in saved]
    assert [each['high'] for each in taken] == [0, 1, 2, 3, 4]
    assert [each['low'] for each in taken[:3]] == [0, 1, 1]
    assert taken[4]['low'] > 1 and 'mid' not in taken[4]
    # Those of rounds that nobody has disturbed.
    cfg = copy.deepcopy(cfg)
    cfg.optim_wrapper.optimizer.lr, cfg.train_cfg.max_epochs = .01, 2
    cfg.custom_imports = dict(imports=imports)
    grid = grid_of(cfg, tmp_path)
    node = max(grid.clients)
    grid.clients[node] = Broken(truncate), grid.clients[node][1]
    deploy(cfg, tmp_path, grid)
    undisturbed = torch.load(tmp_path / 'server/epoch_2.pth',
                             weights_only=True)
    assert_states_equal(dict(saved[1]['state_dict']),
                        dict(undisturbed['state_dict']))
