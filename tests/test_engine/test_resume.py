"""A resumed run is, to the last bit, the run that was not interrupted."""

import json
import subprocess
import sys

import pytest
import torch

from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import FedAvg
from mmpose_raf.registry import AGGREGATORS
from tests.toy import (OPTIMIZER, SIZES, Witness, assert_states_equal, client_states,
                       hook_of,
                       run, toy_clients, toy_config)

WITNESS = dict(type='Witness')
INTERRUPTED = 2  # rounds that were completed before
ROUNDS = 4

# Everything that could make a difference: dropped paths, augmentation, absent
# clients, schedules in rounds and in iterations, accumulation, clipping.
WHOLE = dict(clients=toy_clients('high', 'mid', 'low'),
             participation=.67,
             rounds=ROUNDS,
             num_samples=16,
             drop_path_rate=.5,
             hooks=[WITNESS, dict(type='EMAHook', momentum=.1)],
             val=True,
             optim_wrapper=dict(optimizer=dict(OPTIMIZER),
                                accumulative_counts=2,
                                clip_grad=dict(max_norm=.1)),
             param_scheduler=[
                 dict(type='LinearLR', start_factor=.01, end=3,
                      by_epoch=False),
                 dict(type='ExponentialLR', gamma=.7, by_epoch=True),
                 dict(type='CosineAnnealingLR',
                      begin=1,
                      end=ROUNDS,
                      convert_to_iter_based=True)
             ])


def config(tmp_path, **options):
    cfg = toy_config(tmp_path, **{**WHOLE, **options})
    cfg.default_hooks.checkpoint.update(save_best='score', rule='less')
    return cfg


def break_off(cfg, round_=INTERRUPTED):
    """Run into an interruption in the middle of a round."""
    cfg = type(cfg)(cfg.to_dict(), format_python_code=False)
    cfg.custom_hooks.append(dict(type='Interrupt', round_=round_))
    with pytest.raises(KeyboardInterrupt):
        run(cfg)


def load(path):
    return torch.load(path, weights_only=True)


def assert_runs_end_alike(first, second, since=0):
    """Compare two runners: weights, losses, learning rates, client states."""
    one, two = hook_of(first, Witness), hook_of(second, Witness)
    assert_states_equal(one.rounds[since:], two.rounds)
    # The same clients, samples, rates and counts.
    tail = [seen for seen in one.iterations if seen['round'] >= since]
    assert tail == two.iterations
    assert one.losses[-len(tail):] == two.losses
    assert_states_equal(
        client_states(first),
        client_states(second))
    assert_states_equal(first.optim_wrapper.state_dict(),
                        second.optim_wrapper.state_dict())
    assert (first.iter, first.epoch) == (second.iter, second.epoch)
    for scheduler, other in zip(first.param_schedulers or [],
                                second.param_schedulers or []):
        assert scheduler.state_dict() == other.state_dict()


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
    return run(config(tmp_path_factory.mktemp('uninterrupted')))


def test_a_run_is_reproducible(uninterrupted, tmp_path):
    runner = run(config(tmp_path))
    assert_runs_end_alike(uninterrupted, runner)
    # Which is not because nothing happens.
    rounds = hook_of(runner, Witness).rounds
    for first, second in zip(rounds, rounds[1:]):
        assert not any(
            torch.equal(first[key], second[key])
            for key in first if key.endswith('weight'))


def test_dropped_paths_and_augmentation_do_matter(uninterrupted, tmp_path):
    """Without them the run is another: the tests do test them."""
    expected = hook_of(uninterrupted, Witness).losses
    for option in (dict(drop_path_rate=0.), dict(augmented=False)):
        runner = run(config(tmp_path / str(option), **option, rounds=1))
        losses = hook_of(runner, Witness).losses
        assert losses != expected[:len(losses)]


def test_workers_make_no_difference(uninterrupted, tmp_path):
    runner = run(config(tmp_path, num_workers=2))
    assert_runs_end_alike(uninterrupted, runner)


def test_nor_does_validation(uninterrupted, tmp_path):
    """It draws no random numbers that training would have drawn."""
    cfg = toy_config(tmp_path, **{**WHOLE, 'val': False})
    runner = run(cfg)
    assert_runs_end_alike(uninterrupted, runner)


@pytest.mark.parametrize('num_workers', [0, 2])
def test_resume(uninterrupted, tmp_path, num_workers):
    cfg = config(tmp_path, num_workers=num_workers)
    break_off(cfg)
    runner = run(cfg, resume=True)
    assert hook_of(runner, Witness).iterations[0]['round'] == INTERRUPTED
    assert_states_equal(
        hook_of(runner, Witness).first,
        hook_of(uninterrupted, Witness).rounds[INTERRUPTED - 1])
    assert_runs_end_alike(uninterrupted, runner, since=INTERRUPTED)

    # The checkpoints, with the exponential moving average, are equal as well.
    name = f'epoch_{ROUNDS}.pth'
    expected = load(f'{uninterrupted.work_dir}/{name}')
    got = load(f'{runner.work_dir}/{name}')
    for key in ('state_dict', 'ema_state_dict', 'federation', 'optimizer',
                'param_schedulers'):
        assert_states_equal(got[key], expected[key])


def test_resume_twice(uninterrupted, tmp_path):
    cfg = config(tmp_path)
    break_off(cfg, round_=1)
    cfg.resume = True
    break_off(cfg, round_=3)
    runner = run(cfg)
    assert_runs_end_alike(uninterrupted, runner, since=3)


@pytest.mark.parametrize('options', [
    dict(optimizer_state='reset'),
    dict(local_epochs=2, participation=1.),
    dict(param_scheduler=None),
    dict(raf=False,
         optim_wrapper=dict(optimizer=dict(type='SGD', lr=.1, momentum=.9))),
])
def test_resume_of_other_settings(tmp_path, options):
    options = dict(options, rounds=2)
    expected = run(config(tmp_path / 'whole', **options))
    cfg = config(tmp_path / 'broken', **options)
    break_off(cfg, round_=1)
    runner = run(cfg, resume=True)
    assert_runs_end_alike(expected, runner, since=1)


def test_resume_from_the_best_checkpoint(tmp_path):
    """MMEngine saves it after validation and without the optimizer.

    Where the moments are reset anyway, nothing is missing.
    """
    options = dict(rounds=3, optimizer_state='reset')
    expected = run(config(tmp_path, **options))
    path, = tmp_path.glob('best_score_epoch_*.pth')
    round_ = int(path.stem.split('_')[-1])
    assert round_ < 3
    runner = run(config(tmp_path / 'resumed', **options),
                 resume=True,
                 load_from=str(path))
    assert_states_equal(
        hook_of(expected, Witness).rounds[round_:],
        hook_of(runner, Witness).rounds)
    assert_states_equal(
        client_states(expected),
        client_states(runner))


def test_resume_without_moments_says_so(tmp_path):
    """A best checkpoint holds none: kept moments would be missed."""
    options = dict(rounds=3, optimizer_state='keep')
    run(config(tmp_path, **options))
    path, = tmp_path.glob('best_score_epoch_*.pth')
    run(config(tmp_path / 'resumed', **options),
        resume=True,
        load_from=str(path))
    logs = [log.read_text() for log in tmp_path.glob('resumed/*/*.log')]
    assert 'every client starts with new moments' in logs[0]


@AGGREGATORS.register_module(force=True)
class WithMomentum(FedAvg):
    """A server that remembers: half of the last step comes on top."""

    def __init__(self):
        super().__init__()
        self.step = {}

    def aggregate(self, global_state, updates):
        mean = super().aggregate(global_state, updates)
        for key, value in mean.items():
            if value.is_floating_point() and 'running' not in key:
                step = value - global_state[key]
                if key in self.step:
                    step = step + .5 * self.step[key]
                self.step[key] = step
                mean[key] = global_state[key] + step
        return mean

    def state_dict(self):
        return dict(step=self.step)

    def load_state_dict(self, state_dict):
        self.step = state_dict['step']


def test_aggregators_with_a_memory(tmp_path):
    options = dict(rounds=3, aggregator=dict(type='WithMomentum'))
    expected = run(config(tmp_path / 'whole', **options))
    cfg = config(tmp_path / 'broken', **options)
    break_off(cfg, round_=2)
    runner = run(cfg, resume=True)
    assert_runs_end_alike(expected, runner, since=2)
    assert_states_equal(
        runner.train_loop.server.aggregator.step,
        expected.train_loop.server.aggregator.step)


def test_finished_runs_do_not_go_on(tmp_path):
    cfg = toy_config(tmp_path, rounds=1, hooks=[WITNESS])
    expected = run(cfg)
    runner = run(cfg, resume=True)
    assert hook_of(runner, Witness).iterations == []
    assert_states_equal(
        hook_of(runner, Witness).first,
        hook_of(expected, Witness).rounds[0])


def test_more_rounds_than_at_first(tmp_path):
    """Raising max_epochs continues a finished run."""
    expected = run(toy_config(tmp_path / 'a', rounds=2, hooks=[WITNESS]))
    run(toy_config(tmp_path / 'b', rounds=1, hooks=[WITNESS]))
    runner = run(toy_config(tmp_path / 'b', rounds=2, hooks=[WITNESS]),
                 resume=True)
    assert_runs_end_alike(expected, runner, since=1)


def test_load_from_starts_a_new_federation(tmp_path):
    old = run(toy_config(tmp_path / 'old', rounds=2, hooks=[WITNESS]))
    new = run(toy_config(tmp_path / 'new',
                         clients=('mid', ),
                         rounds=1,
                         hooks=[WITNESS]),
              load_from=f'{old.work_dir}/epoch_2.pth')
    witness = hook_of(new, Witness)
    assert_states_equal(witness.first, hook_of(old, Witness).rounds[1])
    assert witness.iterations[0]['iter'] == 0


# -- What is in a checkpoint -------------------------------------------------


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """A run without EMA, which puts its own average into a checkpoint."""
    work_dir = tmp_path_factory.mktemp('plain')
    return run(
        toy_config(work_dir,
                   clients=('high', 'mid', 'low'),
                   participation=.67,
                   hooks=[WITNESS],
                   param_scheduler=dict(type='MultiStepLR',
                                        milestones=[1],
                                        by_epoch=True)))


def test_checkpoints_hold_the_global_weights(plain):
    for round_, weights in enumerate(hook_of(plain, Witness).rounds):
        path = f'{plain.work_dir}/epoch_{round_ + 1}.pth'
        assert_states_equal(dict(load(path)['state_dict']), dict(weights))


def test_checkpoints_are_plain_data(plain):
    """A bare torch opens them, in its safe mode."""
    code = '''
import sys, torch
checkpoint = torch.load(sys.argv[1], weights_only=True)
print(sorted(checkpoint['federation']))
assert not {'mmengine', 'mmpose_raf'} & set(sys.modules)
'''
    output = subprocess.run(
        [sys.executable, '-c', code, f'{plain.work_dir}/epoch_2.pth'],
        stdout=subprocess.PIPE,
        check=True,
        text=True)
    assert output.stdout.strip() == str(
        ['adapters', 'clients', 'fingerprint', 'has_moments', 'identity', 'run',
         'server'])


def test_what_the_federation_saves(plain):
    federation = load(f'{plain.work_dir}/epoch_2.pth')['federation']
    settings = federation['identity']
    assert settings['clients'] == [['high', [48, 64]], ['mid', [32, 48]],
                                   ['low', [16, 32]]]
    assert settings['seed'] == 0
    json.dumps(settings)
    participants = {
        seen['client']
        for seen in hook_of(plain, Witness).iterations
    }
    parameters = sum(1 for _ in plain.model.parameters())
    assert len(federation['clients']) == 3
    for name, state in federation['clients'].items():
        trained = name in participants
        assert len(state['optimizer']) == (parameters if trained else 0)
        assert state['has_trained'] == trained
        # Schedules go on when the client trains again.
        assert state['hyperparameters'][0]['lr'] == pytest.approx(
            [1e-2, 1e-3][state['round']])


def test_checkpoints_without_optimizer(tmp_path):
    cfg = toy_config(tmp_path, rounds=1)
    cfg.default_hooks.checkpoint.save_optimizer = False
    run(cfg)
    checkpoint = load(tmp_path / 'epoch_1.pth')
    assert all(state['optimizer'] == {}
               for state in checkpoint['federation']['clients'].values())
    runner = run(cfg, resume=True, train_cfg=dict(max_epochs=2))
    assert runner.epoch == 2


# -- What must not be resumed ------------------------------------------------


def refusal(cfg, checkpoint):
    """The error at resuming, and that training has not begun."""
    with pytest.raises(ConfigError) as error:
        run(cfg, resume=True, load_from=str(checkpoint))
    return error.value


@pytest.mark.parametrize('options, field, fragment', [
    (dict(clients=('high', 'mid')), 'federation.clients', 'low'),
    (dict(clients=('low', 'high', 'mid')), 'federation.clients', 'low'),
    (dict(clients=[
        dict(name=name, input_size=SIZES['low'])
        for name in ('high', 'mid', 'low')
    ]), 'federation.clients', '[16, 32]'),
    (dict(partitioner=dict(type='NativeResolutionPartitioner')),
     'federation.partitioner', 'NativeResolutionPartitioner'),
    (dict(partitioner=dict(type='RandomPartitioner', samples_per_client=2)),
     'federation.partitioner', 'samples_per_client'),
    (dict(seed=1), 'federation.seed', '1'),
    (dict(num_samples=12), 'train_dataloader.dataset', 'partition'),
])
def test_another_federation(plain, tmp_path, options, field, fragment):
    options = {
        'clients': ('high', 'mid', 'low'),
        'participation': .67,
        **options
    }
    cfg = toy_config(tmp_path, hooks=[WITNESS], rounds=3, **options)
    error = refusal(cfg, f'{plain.work_dir}/epoch_2.pth')
    assert error.field == field
    assert fragment in str(error)


def test_checkpoints_of_earlier_versions(plain, tmp_path):
    """Their federation is another: one line says what to do."""
    saved = load(f'{plain.work_dir}/epoch_2.pth')
    saved['federation'] = dict(settings={}, clients=[], server={})
    torch.save(saved, tmp_path / 'old.pth')
    cfg = toy_config(tmp_path / 'run', clients=('high', 'mid', 'low'))
    error = refusal(cfg, tmp_path / 'old.pth')
    assert error.field == 'resume'
    assert 'older version' in str(error) and 'load_from' in str(error)


def test_no_federation_at_all(tmp_path):
    cfg = toy_config(tmp_path / 'stock', rounds=1)
    cfg.custom_hooks = []
    run(cfg)
    error = refusal(toy_config(tmp_path), tmp_path / 'stock' / 'epoch_1.pth')
    assert error.field == 'resume'
    assert 'load_from' in str(error)
