"""Asynchronous rounds and clients that drop out, in a run."""

import copy
import heapq
import json

import pytest
import torch

from mmpose_raf.datasets.schedule import Visit
from mmpose_raf.federation import FedAvg, StalenessAware
from mmpose_raf.registry import AGGREGATORS
from tests.test_engine.by_hand import FederationByHand
from tests.toy import SIZES, Witness, hook_of, run, toy_config

# The first is fast enough to come twice while the last trains.
SPEEDS = dict(high=10., mid=4., low=2.)
CLIENTS = [
    dict(name=name, input_size=SIZES[name], samples_per_second=speed)
    for name, speed in SPEEDS.items()
]
LATEST = 'StalenessAware'


class AsynchronousByHand(FederationByHand):
    """Runs the clock itself; each client has weights of its own.

    Attributes:
        takes_fresh (bool): Whether clients take in fresh weights half-way.
        num_fresh (int): How often one did.
    """

    takes_fresh = False
    num_fresh = 0

    def rounds(self, count):
        """Global weights after each round of three arrivals."""
        now, version, results = 0., 0, []
        history = [(0., copy.deepcopy(self.model.state_dict()))]
        numbers = [0, 0, 0]
        state = copy.deepcopy(self.model.state_dict())
        durations = [
            len(own) / speed
            for own, speed in zip(self.indices, SPEEDS.values())
        ]
        queue = [(durations[i], i, 0, state, 0.) for i in range(3)]
        heapq.heapify(queue)
        for _ in range(count):
            for _ in range(3):
                now, client, began, start, when = heapq.heappop(queue)
                visit = Visit(client, numbers[client], now)
                numbers[client] += 1
                half = when + durations[client] / 2
                fresh = max(
                    i for i, (made, _) in enumerate(history) if made < half)
                trained = self.train_visit(visit, start, began, fresh,
                                           history[fresh][1])
                staleness = version - began
                version += 1
                xi = version**-.5 * (staleness + 1)**-.5
                alpha = xi / (1 + xi)
                state = {
                    key: (1 - alpha) * value + alpha * trained[key]
                    if value.is_floating_point() else torch.maximum(
                        value, trained[key])
                    for key, value in state.items()
                }
                history.append((now, state))
                heapq.heappush(
                    queue,
                    (now + durations[client], client, version, state, now))
            results.append((state, now))
        return results

    def train_visit(self, visit, start, began, fresh, weights):
        sampler, = self.samplers
        steps = [[batch] for batch in sampler.batches_of(visit)]
        self.model.load_state_dict(start)
        if not self.takes_fresh or fresh == began:
            return self.train(visit.client, steps)
        self.num_fresh += 1
        half = len(steps) // 2
        trained = self.train(visit.client, steps[:half])
        phi = fresh**-.5 * (1 - .5 * (fresh - began + 1)**-.5)
        beta = phi / (1 + phi)
        self.model.load_state_dict(
            self.mean([trained, weights], [1 - beta, beta]))
        return self.train(visit.client, steps[half:])


@pytest.mark.parametrize('takes_fresh', [False, True])
def test_like_a_clock_by_hand(tmp_path, takes_fresh):
    options = dict(local_objective=dict(
        type='FreshModel')) if takes_fresh else {}
    cfg = toy_config(tmp_path,
                     clients=CLIENTS,
                     rounds=4,
                     hooks=[dict(type='Witness')],
                     batch_size=2,
                     aggregator=dict(type=LATEST),
                     **options)
    runner = run(cfg)
    witness = hook_of(runner, Witness)
    # What is tested happens: the fast client comes twice in a round.
    clients = [seen['client'] for seen in witness.iterations]
    assert clients.count('high') > clients.count('mid') > clients.count('low')
    by_hand = AsynchronousByHand(cfg, witness.first)
    by_hand.takes_fresh = takes_fresh
    expected = by_hand.rounds(4)
    assert (by_hand.num_fresh > 2) == takes_fresh
    for got, (state, _) in zip(witness.rounds, expected):
        for key, value in got.items():
            torch.testing.assert_close(value, state[key], rtol=0, atol=1e-6)
    scalars = next(tmp_path.glob('*/vis_data/scalars.json')).read_text()
    clocks = [
        line['federation/clock'] for line in map(json.loads,
                                                 scalars.splitlines())
        if 'federation/clock' in line
    ]
    assert clocks == pytest.approx([now for _, now in expected])


@AGGREGATORS.register_module(force=True)
class StalenessSpy(StalenessAware):
    """Notes the age of each update."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def aggregate(self, global_state, updates):
        self.seen += [(update.client, update.staleness) for update in updates]
        return super().aggregate(global_state, updates)


def test_staleness_and_memory(tmp_path):
    """Old weights are kept as long as somebody trains from them."""
    runner = run(
        toy_config(tmp_path,
                   clients=CLIENTS,
                   rounds=4,
                   num_samples=12,
                   aggregator=dict(type='StalenessSpy')))
    server = runner.train_loop.server
    # Arrivals at .4, .8, 1 (mid), 1.2, 1.6, 2 (high before mid, low), ...
    assert server.aggregator.seen[:6] == [('high', 0), ('high', 0), ('mid', 2),
                                        ('high', 1), ('high', 0),
                                        ('high', 0)]
    # Of the two that are at work one has begun with the last version.
    assert len(server.in_flight) == 3
    assert len(server.state_dict()['versions']) <= 2
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'Simulated clock: 1.0 s' in log
    assert 'staleness' in log


def test_one_at_a_time_is_sequential(tmp_path):
    """Each starts from what the last one left: nothing is stale."""
    runner = run(
        toy_config(tmp_path,
                   clients=CLIENTS,
                   rounds=5,
                   participation=.3,
                   aggregator=dict(type='StalenessSpy')))
    ages = [age for _, age in runner.train_loop.server.aggregator.seen]
    assert ages == [0] * 5


@AGGREGATORS.register_module(force=True)
class RoundSpy(FedAvg):
    """Notes who came, and the weights before and after."""

    def __init__(self):
        super().__init__()
        self.rounds = []

    def aggregate(self, global_state, updates):
        result = super().aggregate(global_state, updates)
        self.rounds.append([update.client for update in updates])
        return result


def test_who_returns_starts_from_the_weights_of_now(tmp_path):
    """The client that was absent trains as if it had always waited."""
    cfg = toy_config(tmp_path,
                     clients=('high', 'mid', 'low'),
                     rounds=3,
                     hooks=[dict(type='Witness')],
                     optimizer_state='reset',
                     aggregator=dict(type='RoundSpy'),
                     participation=dict(presence=dict(
                         mid=[(1, 1), (3, 3)], high=[(1, 2)])))
    runner = run(cfg)
    assert runner.train_loop.server.aggregator.rounds == [['high', 'mid', 'low'],
                                                 ['high', 'low'],
                                                 ['mid', 'low']]
    witness = hook_of(runner, Witness)
    by_hand = FederationByHand(cfg, witness.rounds[1])
    sampler, = by_hand.samplers
    states = []
    # The training of mid is its second, that of low its third.
    for client, number in ((1, 1), (2, 2)):
        batches = list(sampler.batches_of(Visit(client, number, 0.)))
        by_hand.model.load_state_dict(witness.rounds[1])
        states.append(by_hand.train(client, [[batch] for batch in batches]))
    for key, value in witness.rounds[2].items():
        if value.is_floating_point():
            mean = (states[0][key] + states[1][key]) / 2
            torch.testing.assert_close(value, mean, rtol=0, atol=1e-6)


def test_a_round_without_anybody(tmp_path):
    runner = run(
        toy_config(tmp_path,
                   rounds=3,
                   hooks=[dict(type='Witness')],
                   val=True,
                   participation=dict(presence=dict(
                       high=[(1, 1), (3, 3)], low=[(3, 3)]))))
    first, second, third = hook_of(runner, Witness).rounds
    for key, value in first.items():
        assert torch.equal(value, second[key])
    assert any(not torch.equal(value, third[key])
               for key, value in first.items())
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'Round [2/3], 0 of 2 clients' in log
    assert (tmp_path / 'epoch_3.pth').is_file()


def test_too_few_for_the_aggregator(tmp_path):
    """The weights stay, and the run goes on."""
    runner = run(
        toy_config(tmp_path,
                   clients=('high', 'mid', 'low'),
                   rounds=3,
                   hooks=[dict(type='Witness')],
                   aggregator=dict(type='TrimmedMean'),
                   participation=dict(presence=dict(mid=[(1, 1), (3, 3)]))))
    first, second, third = hook_of(runner, Witness).rounds
    name = 'head.final_layer.weight'
    assert torch.equal(first[name], second[name])
    assert not torch.equal(third[name], second[name])
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'The aggregator needs 3 updates, there are 2' in log
