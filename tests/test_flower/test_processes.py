"""A SuperLink and SuperNodes as processes, with TLS and keys."""

import time

import pytest
import torch

from mmpose_raf.flower.trial import Trial
from tests.test_flower.deployed import write_config
from tests.toy import assert_states_equal, run, toy_config, weights_of

pytestmark = pytest.mark.slow
DEADLINE = 900


def wait_for_end(trial, number):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        status = trial.status(number)
        if status['status'].startswith('finished'):
            return status['status']
        time.sleep(2)
    raise TimeoutError(trial.log()[-2000:])


def test_processes_come_to_the_simulations_weights(tmp_path):
    """A client with a key that nobody registered stays outside."""
    cfg = toy_config(tmp_path / 'simulated', clients=('high', 'low'),
                     rounds=2, local_params='norm',
                     local_objective=dict(type='SCAFFOLD'))
    simulated = weights_of(run(cfg))
    cfg.custom_imports = dict(imports=['mmpose_raf', 'tests.toy'])
    config = write_config(cfg, tmp_path / 'config.py')
    with Trial(tmp_path / 'trial', config, ['high', 'low']) as trial:
        trial.make_key('stranger')
        trial.start_node('stranger', client='high')
        number = trial.submit(evaluate='none', wait=300)
        assert wait_for_end(trial, number) == 'finished:completed'
        # It was refused: its process has ended.
        assert trial.processes['stranger'].wait(60) != 0
        assert trial.survivors()
    assert trial.survivors() == []
    saved = torch.load(tmp_path / 'trial/server/epoch_2.pth',
                       weights_only=True)
    assert_states_equal(dict(saved['state_dict']), dict(simulated))
