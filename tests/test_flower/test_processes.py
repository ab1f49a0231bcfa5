"""A SuperLink and SuperNodes as processes, with TLS and keys."""

import copy
import os
import re
import time

import pytest
import torch

from mmpose_raf.flower.trial import Trial
from tests.test_flower.deployed import deploy, grid_of, write_config
from tests.test_flower.halt import DEADLINE
from tests.test_flower.test_faults import Broken, truncate
from tests.toy import assert_states_equal, toy_config

# Flower misses a kill only after a minute, and six processes share the cores:
# of little use in a suite that shares them, too.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        'KILL_PROCESSES' not in os.environ,
        reason='kills real processes for minutes: run `make faults`')
]


class HaltingTrial(Trial):
    """A trial whose server and clients stand still where a test wants it.

    Its config has the hook ``Halt``.
    """

    def halt(self, who, round_):
        folder = self.folder / who
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f'halt_{round_}').touch()

    def wait_until_halted(self, who, round_):
        path = self.folder / who / f'halted_{round_}'
        self.wait_until(path.exists, path)

    def go_on(self, who, round_):
        (self.folder / who / f'halt_{round_}').unlink()

    def wait_until(self, condition, what):
        end = time.monotonic() + DEADLINE
        while not (found := condition()):
            if time.monotonic() > end:
                raise TimeoutError(f'{what}\n{self.log()[-2000:]}')
            time.sleep(.2)
        return found

    def connections(self, name):
        """How often a client's SuperNode has been let in."""
        return (self.folder / f'{name}.log').read_text().count('SuperNode ID')

    def wait_for_connection(self, name, times=1):
        """Restart a SuperNode until it is let in, as a service does.

        After a kill it is refused, and ends, until its heartbeat is missed.
        """

        def is_let_in():
            if self.processes[name].poll() is not None:
                self.start_node(name)
            return self.connections(name) >= times

        self.wait_until(is_let_in, f'{name} is not let in')

    def trained(self, client):
        """The client's last training that it has written down; -1 if none."""
        numbers = [
            torch.load(path, weights_only=True)['number']
            for path in (self.folder / f'client_{client}').glob('*.pth')
        ]
        return max(numbers, default=-1)

    def wait_for_end(self, number):
        # Each question costs a process.
        end = time.monotonic() + DEADLINE
        while not (status := self.status(number))['status'].startswith('fin'):
            assert time.monotonic() < end, self.log()[-2000:]
            time.sleep(1)
        return status['status']


@pytest.fixture
def trial_config(tmp_path):
    """A federation of three clients that halts where a test wants it to."""
    cfg = toy_config(tmp_path / 'simulated', clients=('high', 'low', 'mid'),
                     rounds=2, num_samples=14, local_params='norm',
                     local_objective=dict(type='SCAFFOLD'), max_refusals=99,
                     hooks=[dict(type='Halt')])
    cfg.custom_imports = dict(
        imports=['mmpose_raf', 'tests.toy', 'tests.test_flower.halt'])
    return cfg


def variant(cfg, path, imports=(), lr=.01):
    """Write a config that imports more, or has another learning rate."""
    cfg = copy.deepcopy(cfg)
    cfg.custom_imports.imports.extend(imports)
    cfg.optim_wrapper.optimizer.lr = lr
    return write_config(cfg, path)


def test_what_is_killed_comes_back_and_who_is_hostile_stays_out(
        tmp_path, trial_config):
    """One federation, in which all of it happens:

    A client with a key that nobody registered, one with another learning
    rate, one whose updates are truncated; in round 1 a client is killed,
    which Flower misses after a minute, in round 2 everything on the server.
    """
    config = variant(trial_config, tmp_path / 'config.py')
    hostile = variant(trial_config, tmp_path / 'hostile.py',
                      ['tests.test_flower.hostile'])
    wrong = variant(trial_config, tmp_path / 'wrong.py', lr=.5)
    names = ['high', 'low', 'mid', 'wrong']
    with HaltingTrial(tmp_path / 'trial', config, ['high', 'low']) as trial:
        trial.make_key('mid', 'wrong', 'stranger')
        trial.register('mid')
        trial.register('wrong')
        trial.start_node('mid', config=hostile)
        trial.start_node('wrong', client='low', config=wrong)
        trial.start_node('stranger', client='high')
        for name in names:
            trial.wait_for_connection(name)
        # It was refused: its process has ended.
        assert trial.processes['stranger'].wait(DEADLINE) != 0
        assert trial.connections('stranger') == 0

        trial.halt('client_low', 1)
        trial.halt('client_mid', 2)
        trial.halt('server', 2)
        trial.submit(evaluate='none', wait=DEADLINE)
        trial.wait_until_halted('client_low', 1)
        trial.kill('low')
        trial.go_on('client_low', 1)
        trial.terminate('wrong')
        trial.start_node('low')
        trial.wait_for_connection('low', times=2)
        trial.wait_until_halted('server', 2)
        trial.go_on('server', 2)

        # Some have answered, one has not.
        trial.wait_until_halted('client_mid', 2)
        trial.wait_until(
            lambda: trial.trained('high') == trial.trained('low') == 1,
            'round 2 is not trained')
        first_log = trial.log()
        trial.kill('link')
        trial.go_on('client_mid', 2)
        trial.wait_until(lambda: trial.trained('mid') == 1, 'mid is stuck')
        trial.start_link()
        number = trial.submit(evaluate='none', wait=DEADLINE, resume=True)
        assert trial.wait_for_end(number) == 'finished:completed'
        log = trial.log()
        assert trial.survivors()
    assert trial.survivors() == []
    assert 'optim_wrapper.optimizer.lr: the server has 0.01, this client ' \
        '0.5' in first_log
    assert re.search('Client low is absent: (Flower says|it has left)',
                     first_log)
    for text in (first_log, log):
        assert 'The update of client mid is refused: its tensors have' in text
    check_weights(tmp_path, trial_config)


def check_weights(tmp_path, cfg):
    """They are those of clients that nobody has killed.

    The first update of one and all of another are truncated, which comes to
    the same.
    """
    grid = grid_of(cfg, tmp_path)
    high, low, mid = sorted(grid.clients)
    for node, spoil in ((low, lambda request, update, number: truncate(
            request, update, number) if number == 1 else update),
                        (mid, truncate)):
        grid.clients[node] = Broken(spoil), grid.clients[node][1]
    deploy(cfg, tmp_path, grid)
    for round_ in (1, 2):
        saved, undisturbed = (
            torch.load(folder / f'epoch_{round_}.pth', weights_only=True)
            for folder in (tmp_path / 'trial/server', tmp_path / 'server'))
        assert_states_equal(dict(saved['state_dict']),
                            dict(undisturbed['state_dict']))
        assert saved['federation']['taken'] == \
            undisturbed['federation']['taken']
    assert saved['federation']['taken'] == dict(high=1, low=1)
