"""Over Flower's messages the weights are the simulation's, to the bit."""

import pytest

from mmpose_raf.flower.client_file import ClientFile
from tests.test_flower.deployed import deploy
from tests.toy import (SIZES, assert_states_equal, client_states, run,
                       toy_config, weights_of)

SCHEDULES = [
    dict(type='LinearLR', start_factor=.01, end=3, by_epoch=False),
    dict(type='ExponentialLR', gamma=.7, by_epoch=True)
]
FAST = dict(
    fedavg=dict(local_epochs=2, drop_path_rate=.5,
                param_scheduler=SCHEDULES),
    scaffold=dict(local_objective=dict(type='SCAFFOLD')),
    fedbn=dict(local_params='norm'),
    fedadam=dict(aggregator=dict(type='FedAdam')),
    int8=dict(payload='int8', local_params='norm'),
    fedrolex=dict(clients=[dict(name='high', input_size=SIZES['high']),
                           dict(name='low', input_size=SIZES['low'],
                                width=.5)],
                  aggregator=dict(type='FedRolex')))
SLOW = dict(
    float16=dict(payload='float16', local_objective=dict(type='SCAFFOLD')),
    bfloat16=dict(payload='bfloat16', aggregator=dict(type='FedAvgM'),
                  participation=.5),
    feddyn=dict(local_objective=dict(type='FedDyn', alpha=.1)),
    moon=dict(local_objective=dict(type='MOON', mu=1.)),
    personal_head=dict(local_params=['head.*'], optimizer_state='reset'),
    fewer=dict(clients=('high', 'mid', 'low'), participation=.67,
               keep_updates=False, num_samples=14,
               aggregator=dict(type='FedAvg', weighting='samples')),
    median=dict(clients=('high', 'mid', 'low'),
                aggregator=dict(type='CoordinateMedian')),
    feddisco=dict(aggregator=dict(type='DiscrepancyAware')))


@pytest.mark.parametrize('case', [
    *FAST, *(pytest.param(case, marks=pytest.mark.slow) for case in SLOW)
])
def test_weights_are_the_simulations(tmp_path, case):
    cfg = toy_config(tmp_path / 'simulated', rounds=3,
                     **{**FAST, **SLOW}[case])
    simulated = run(cfg)
    deployed = deploy(cfg, tmp_path)
    assert_states_equal(weights_of(deployed), weights_of(simulated))
    assert deployed.epoch == 3
    # What stays with the clients is the same as well.
    server = deployed.train_loop
    for name, state in zip(server.names, client_states(simulated)):
        file = ClientFile(tmp_path / f'client_{name}', server.terms.run)
        if name in server.taken:
            kept = file.load(99, server.taken[name])
            assert_states_equal(kept.state_dict(), state)
    assert server.taken
