"""Rounds of the hook, against a federation written by hand."""

import gc
import numpy as np
import pytest
import torch
from torch import nn

from mmpose_raf.federation import FedAvg
from mmpose_raf.registry import AGGREGATORS
from tests.test_engine.by_hand import FederationByHand
from tests.toy import (OPTIMIZER, SIZES, Witness, assert_states_equal, hook_of,
                       run, toy_clients, toy_config, toy_dataset, weights_of)

WITNESS = dict(type='Witness')
FOUR = [
    dict(name=str(i), input_size=SIZES[name])
    for i, name in enumerate(['high', 'mid', 'low', 'low'])
]


def optim_wrapper(**options):
    return dict(optimizer=dict(OPTIMIZER), **options)


@AGGREGATORS.register_module(force=True)
class Recorder(FedAvg):
    """FedAvg that remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def aggregate(self, global_state, updates):
        result = super().aggregate(global_state, updates)
        self.calls.append((global_state, list(updates), result))
        return result


CASES = dict(
    plain=dict(),
    stock_model=dict(raf=False),
    reset=dict(optimizer_state='reset'),
    fraction=dict(clients=FOUR, participation=.5, num_samples=14),
    samples=dict(aggregator=dict(type='FedAvg', weighting='samples'),
                 partitioner=dict(type='RandomPartitioner',
                                  samples_per_client=[7, 2])),
    local_epochs=dict(local_epochs=2),
    several_sizes=dict(clients=[
        dict(name='mixed', input_size=[SIZES['high'], SIZES['low']]),
        dict(name='mid', input_size=SIZES['mid'])
    ]),
    captured=dict(clients=[
        dict(name='sharp', input_size=SIZES['high']),
        dict(name='old', input_size=SIZES['high'], capture_size=(8, 12))
    ]),
    clipping=dict(optim_wrapper=optim_wrapper(clip_grad=dict(max_norm=.01))),
    # Three batches a client: the second step has one batch alone.
    accumulation=dict(num_samples=16,
                      optim_wrapper=optim_wrapper(accumulative_counts=2)),
    all_at_once=dict(clients=FOUR,
                     participation=.75,
                     num_samples=22,
                     local_epochs=2,
                     seed=3,
                     aggregator=dict(type='FedAvg', weighting='samples'),
                     optim_wrapper=optim_wrapper(accumulative_counts=3,
                                                 clip_grad=dict(max_norm=.1))),
)


@pytest.mark.parametrize('case', CASES)
def test_rounds_equal_those_by_hand(tmp_path, case):
    cfg = toy_config(tmp_path, rounds=3, hooks=[WITNESS], **CASES[case])
    runner = run(cfg)
    witness = hook_of(runner, Witness)
    by_hand = FederationByHand(cfg, witness.first)

    previous = witness.first
    for number, got in enumerate(witness.rounds):
        expected = by_hand.round(number)
        assert list(got) == list(expected)
        for key, value in expected.items():
            torch.testing.assert_close(got[key], value, rtol=0, atol=1e-6)
        # A step of AdamW is about as long as the learning rate, 1e-2: the
        # tolerance is far below what there is to see.
        assert max((got[key].float() - previous[key].float()).abs().max()
                   for key in got) > 5e-3
        previous = got
    assert len(witness.rounds) == 3

    # The moments that stay with the clients.
    for client, state in enumerate(runner.train_loop.states):
        if not by_hand.keeps or client not in by_hand.moments:
            assert state.optimizer == {}
            continue
        expected = by_hand.moments[client]['state']
        assert set(state.optimizer) == set(expected)
        for index, moments in expected.items():
            assert set(moments) == {'step', 'exp_avg', 'exp_avg_sq'}
            for key, value in moments.items():
                torch.testing.assert_close(state.optimizer[index][key],
                                           value,
                                           rtol=1e-4,
                                           atol=1e-7)


def test_buffers_are_averaged(tmp_path):
    """Not averaging them would be a hidden FedBN."""
    cfg = toy_config(tmp_path,
                     clients=('high', 'mid', 'low'),
                     rounds=2,
                     aggregator=dict(type='Recorder'))
    runner = run(cfg)
    _, updates, _ = runner.train_loop.server.aggregator.calls[-1]
    assert [update.client for update in updates] == ['high', 'mid', 'low']
    state = runner.model.state_dict()
    statistics = [key for key in state if 'running_' in key]
    assert len(statistics) == 4
    for key in statistics:
        arrays = np.stack([u.state[key].double().numpy() for u in updates])
        assert arrays.std(0).max() > 1e-4
        np.testing.assert_allclose(state[key].numpy(),
                                   arrays.mean(0),
                                   rtol=1e-5,
                                   atol=1e-7)
    counters = [key for key in state if key.endswith('batches_tracked')]
    assert len(counters) == 2
    for key in counters:
        assert state[key] == max(u.state[key] for u in updates)


def test_what_the_server_is_given(tmp_path):
    cfg = toy_config(tmp_path,
                     num_samples=7,
                     rounds=2,
                     aggregator=dict(type='Recorder'))
    runner = run(cfg)
    calls = runner.train_loop.server.aggregator.calls
    assert len(calls) == 2
    for _, updates, _ in calls:
        assert [update.num_samples for update in updates] == [4, 3]
        for update in updates:
            assert update.metrics['loss'] > 0
            assert update.metrics['seconds'] > 0
            assert set(update.state) == set(runner.model.state_dict())
        # The clients' weights are neither each other's nor the model's.
        pointers = {
            value.data_ptr()
            for state in (updates[0].state, updates[1].state,
                          runner.model.state_dict())
            for value in state.values()
        }
        assert len(pointers) == 3 * len(updates[0].state)
    # Round 2 starts where round 1 ended.
    assert_states_equal(calls[1][0], calls[0][2])


def test_updates_are_compared(tmp_path):
    """Norm and mean cosine over the parameters, from what the server got."""
    runner = run(
        toy_config(tmp_path,
                   clients=('high', 'mid', 'low'),
                   rounds=2,
                   aggregator=dict(type='Recorder')))
    names = [name for name, _ in runner.model.named_parameters()]
    for before, updates, _ in runner.train_loop.server.aggregator.calls:
        moved = [
            np.concatenate([(update.state[name] - before[name]).double().numpy(
            ).ravel() for name in names]) for update in updates
        ]
        for number, update in enumerate(updates):
            norm = np.linalg.norm(moved[number])
            assert update.metrics['update_norm'] == pytest.approx(norm)
            cosines = [
                moved[number] @ other / norm / np.linalg.norm(other)
                for other in moved[:number] + moved[number + 1:]
            ]
            assert update.metrics['update_cosine'] == pytest.approx(
                np.mean(cosines), abs=1e-6)
    scalars = next(tmp_path.glob('*/vis_data/scalars.json')).read_text()
    assert '"mid/update_norm"' in scalars
    assert '"low/update_cosine"' in scalars


def test_an_update_alone_has_no_cosine(tmp_path):
    runner = run(
        toy_config(tmp_path,
                   clients=('high', ),
                   rounds=1,
                   aggregator=dict(type='Recorder')))
    (_, (update, ), _), = runner.train_loop.server.aggregator.calls
    assert update.metrics['update_norm'] > 0
    assert 'update_cosine' not in update.metrics


def test_metrics_are_the_means_of_the_iterations(tmp_path):
    runner = run(
        toy_config(tmp_path,
                   rounds=1,
                   hooks=[WITNESS],
                   aggregator=dict(type='Recorder')))
    witness = hook_of(runner, Witness)
    _, updates, _ = runner.train_loop.server.aggregator.calls[0]
    for update in updates:
        losses = [
            loss for loss, seen in zip(witness.losses, witness.iterations)
            if seen['client'] == update.client
        ]
        assert update.metrics['loss'] == pytest.approx(np.mean(losses))


def test_each_client_sees_its_own_samples_at_its_own_size(tmp_path):
    cfg = toy_config(tmp_path, rounds=2, hooks=[WITNESS], num_samples=13)
    runner = run(cfg)
    by_hand = FederationByHand(cfg, hook_of(runner, Witness).first)
    for round_ in range(2):
        for client, held in zip(('high', 'low'), by_hand.indices):
            seen = [
                number for iteration in hook_of(runner, Witness).iterations
                if (iteration['round'], iteration['client']) == (round_,
                                                                 client)
                for number in iteration['samples']
            ]
            assert sorted(seen) == held.tolist()


def test_rounds_count_without_mmengines_help(tmp_path):
    """DistSamplerSeedHook would tell the sampler as well."""
    seen = []
    for number, hooks in enumerate([{}, dict(sampler_seed=None)]):
        cfg = toy_config(tmp_path / str(number), hooks=[WITNESS])
        cfg.default_hooks.update(hooks)
        seen.append(hook_of(run(cfg), Witness).iterations)
    assert seen[0] == seen[1]


def test_own_datasets(tmp_path):
    """Clients with a config each; the training dataset is left aside."""
    clients = [
        dict(client, dataset=toy_dataset(4, first=first))
        for client, first in zip(toy_clients('high', 'low'), (1000, 2000))
    ]
    runner = run(
        toy_config(tmp_path, clients=clients, rounds=1, hooks=[WITNESS]))
    for iteration in hook_of(runner, Witness).iterations:
        first = dict(high=1000, low=2000)[iteration['client']]
        assert all(first <= n < first + 4 for n in iteration['samples'])
    assert len(hook_of(runner, Witness).iterations) == 4


def test_dates_are_seeds(tmp_path):
    """The seeds that are made of it must stay in torch's range."""
    runner = run(toy_config(tmp_path, rounds=1, seed=20991231))
    assert runner.epoch == 1


def test_model_randomness_differs_between_clients_and_trainings(tmp_path):
    runner = run(toy_config(tmp_path, rounds=1))
    seeds = {
        runner.train_loop.trainer.seed_of(client, number)
        for number in range(300) for client in ('high', 'low')
    }
    assert len(seeds) == 2 * 300


class Census:
    """Counts what is alive after a round."""

    def __init__(self):
        gc.collect()
        self.before = self.count()

    @staticmethod
    def count():
        modules = parameters = 0
        for thing in gc.get_objects():
            # Not isinstance(), which asks lazy objects for their class.
            modules += issubclass(type(thing), nn.Module)
            parameters += issubclass(type(thing), nn.Parameter)
        return np.array([modules, parameters])

    def since(self):
        gc.collect()
        return self.count() - self.before


@pytest.mark.slow
def test_one_model_for_any_number_of_clients(tmp_path):
    counts = []
    for num_clients in (3, 30):
        clients = [
            dict(name=str(i), input_size=SIZES['low'])
            for i in range(num_clients)
        ]
        census = Census()
        runner = run(
            toy_config(tmp_path / str(num_clients),
                       clients=clients,
                       rounds=1,
                       num_samples=num_clients))
        counts.append(census.since().tolist())
        modules = sum(1 for _ in runner.model.modules())
        parameters = sum(1 for _ in runner.model.parameters())
        states = runner.train_loop.states
        assert len(states) == num_clients
        assert all(len(state.optimizer) == parameters for state in states)
        for state in states:
            for moments in state.optimizer.values():
                assert all(value.device.type == 'cpu'
                           for value in moments.values())
        del runner, states, state, moments
    assert counts[0] == counts[1]
    assert counts[0] == [modules, parameters]


@pytest.mark.parametrize('state_device', ['cpu', 'model'])
def test_global_weights_are_not_the_models(tmp_path, state_device):
    runner = run(
        toy_config(tmp_path,
                   rounds=1,
                   execution=dict(state_device=state_device)))
    state = runner.train_loop.server.state
    pointers = {value.data_ptr() for value in runner.model.state_dict().values()}
    assert not pointers & {value.data_ptr() for value in state.values()}


@pytest.mark.gpu
@pytest.mark.parametrize('state_device', ['cpu', 'model'])
@pytest.mark.parametrize('overlap', [False, True])
@pytest.mark.parametrize('amp', [False, True])
def test_on_a_gpu(tmp_path, state_device, overlap, amp):
    """The same on a GPU; with mixed precision a run is exact as well."""
    wrapper = optim_wrapper(type='AmpOptimWrapper') if amp else None
    results = []
    for i in range(2):
        cfg = toy_config(tmp_path / str(i),
                         rounds=2,
                         hooks=[WITNESS],
                         optim_wrapper=wrapper,
                         execution=dict(state_device=state_device,
                                        overlap=overlap))
        runner = run(cfg, device='cuda')
        results.append(weights_of(runner))
        loop = runner.train_loop
        wanted = 'cpu' if state_device == 'cpu' else 'cuda'
        for value in loop.server.state.values():
            assert value.device.type == wanted
        for state in loop.states:
            for moments in state.optimizer.values():
                assert moments['exp_avg'].device.type == wanted
        for value in runner.optim_wrapper.optimizer.state.values():
            assert value == {}
    for key in results[0]:
        torch.testing.assert_close(results[0][key],
                                   results[1][key],
                                   rtol=1e-3,
                                   atol=1e-3)
    if not amp:
        witness = hook_of(runner, Witness)
        first = {key: value.cpu() for key, value in witness.first.items()}
        by_hand = FederationByHand(cfg, first)
        by_hand.round(0)
        expected = by_hand.round(1)
        close = [
            torch.isclose(results[1][key].cpu(), expected[key], atol=1e-3)
            for key in expected
        ]
        # AdamW turns the rounding of tiny gradients into whole steps.
        assert torch.cat([c.flatten() for c in close]).float().mean() > .95


def test_a_test_after_training_keeps_the_loop(tmp_path):
    """MMEngine's ``test`` begins with the hooks of a run, too."""
    runner = run(toy_config(tmp_path, rounds=1))
    loop = runner.train_loop
    runner.call_hook('before_run')
    assert runner.train_loop is loop
