"""What a budget costs, and what would make it worthless."""

import math

import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from mmpose_raf.engine import privacy
from mmpose_raf.engine.federation_settings import FederationSettings
from mmpose_raf.errors import ConfigError
from tests.toy import run, toy_config

PRIVATE = dict(type='DPFedAvg', clip_norm=1., noise_multiplier=2.,
               num_clients=2)
CLIENTS = [dict(name='a', input_size=(16, 32)),
           dict(name='b', input_size=(16, 32))]


@pytest.fixture
def counted(monkeypatch):
    """The library is there, and counts rounds."""
    monkeypatch.setattr(privacy, 'LIBRARY', 'torch')
    monkeypatch.setattr(privacy, 'epsilon_of', lambda z, rounds, delta: rounds)


def exact_epsilon(deviation, delta):
    """Of one Gaussian mechanism (Balle and Wang, ICML 2018, theorem 8)."""
    def excess(epsilon):
        return norm.cdf(1 / (2 * deviation) - epsilon * deviation) - math.exp(
            epsilon) * norm.cdf(-1 / (2 * deviation) -
                                epsilon * deviation) - delta
    return brentq(excess, 0, 200)


@pytest.mark.parametrize('multiplier, rounds, delta', [
    (1., 1, 1e-5), (4., 200, 1e-5), (.5, 3, 1e-5), (10., 50, 1e-3)])
def test_the_budget_bounds_the_exact_one_closely(multiplier, rounds, delta):
    """k of them are one with 1 / sqrt(k) of the noise."""
    pytest.importorskip('dp_accounting')
    epsilon = privacy.epsilon_of(multiplier, rounds, delta)
    exact = exact_epsilon(multiplier / math.sqrt(rounds), delta)
    assert exact <= epsilon <= 1.15 * exact


def test_each_round_logs_what_has_been_spent(tmp_path, counted):
    cfg = toy_config(tmp_path, clients=('high', 'low'), rounds=2,
                     aggregator=PRIVATE, local_params='norm')
    loop = run(cfg).train_loop
    log = next(tmp_path.glob('2*/*.log')).read_text()
    assert loop.server.num_requests == dict(high=2, low=2)
    for rounds in (1, 2):
        assert f'Privacy: epsilon {rounds} at delta 1e-05' in log


def test_without_the_library_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(privacy, 'LIBRARY', 'no_such_library')
    with pytest.raises(ConfigError, match=r'mmpose_raf\[privacy\]'):
        run(toy_config(tmp_path, aggregator=PRIVATE, local_params='norm'))


def test_statistics_of_batch_norm_are_not_released(tmp_path, counted):
    with pytest.raises(ConfigError, match='running_mean.*not trained'):
        run(toy_config(tmp_path, aggregator=PRIVATE))


@pytest.mark.parametrize('settings, reason', [
    (dict(aggregator=dict(type='NormClipping', max_norm='median',
                          then=PRIVATE)), 'use DPFedAvg alone'),
    (dict(aggregator=dict(type='NormClipping', max_norm=1., then=dict(
        type='NormClipping', max_norm=2., then=PRIVATE))), 'alone'),
    (dict(aggregator=PRIVATE, local_objective=dict(type='SCAFFOLD')),
     'SCAFFOLD tells clients'),
    (dict(aggregator=PRIVATE, local_objective=dict(type='PGFed')),
     'PGFed tells clients'),
    (dict(aggregator=PRIVATE, local_objective=dict(type='FedDyn', alpha=1.)),
     'FedDyn tells clients'),
    (dict(aggregator=dict(PRIVATE, weighting='samples')), 'weighting'),
    (dict(differential_privacy=True), 'DPFedAvg'),
    (dict(secure_aggregation=True), 'check and refuse no update'),
])
def test_what_does_not_go_with_it(settings, reason):
    with pytest.raises(ConfigError, match=reason):
        FederationSettings.parse(dict(clients=CLIENTS, **settings), seed=0)


@pytest.mark.parametrize('objective', [
    dict(type='FedProx', mu=.1), dict(type='MOON'), None])
def test_what_clients_do_alone_goes_with_it(objective):
    FederationSettings.parse(
        dict(clients=CLIENTS, aggregator=PRIVATE, local_objective=objective),
        seed=0)
