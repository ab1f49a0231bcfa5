"""Movement that is known beforehand, and a training that stays as it is."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmpose_raf.engine import FeatureMovementHook
from mmpose_raf.errors import ConfigError
from tests.toy import (Witness, assert_states_equal, hook_of, run,
                       toy_clients, toy_config, toy_dataset)

HOOK = dict(type='FeatureMovementHook', num_samples=3)
# Nothing moves but what a test moves.
STILL = dict(optimizer=dict(type='SGD', lr=0.))
KEYS = ('features/moved', 'features/from_start')


@HOOKS.register_module(force=True)
class DoubleLastLayer(Hook):
    """Doubles all features after each round, before they are measured."""

    def after_train_epoch(self, runner):
        for parameter in runner.model.backbone.ln1.parameters():
            parameter.data *= 2


@HOOKS.register_module(force=True)
class Generators(Hook):
    """Notes the states of all generators after each round."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.states = []

    def before_train(self, runner):
        self.note()

    def after_train_epoch(self, runner):
        self.note()

    def note(self):
        self.states.append((random.getstate(), np.random.get_state()[1].copy(),
                            torch.get_rng_state()))


def config(tmp_path, *hooks, federated=True, **options):
    cfg = toy_config(tmp_path, hooks=hooks, val=True, **options)
    if not federated:
        del cfg.custom_hooks[0]
    return cfg


def scalars_of(runner):
    """Round, movement and distance from the start, as logged."""
    text = (Path(runner.log_dir) / 'vis_data/scalars.json').read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    return [(row['step'], *(row[key] for key in KEYS)) for row in rows
            if KEYS[0] in row]


@pytest.mark.parametrize('federated, expected', [
    # Each round starts from the global weights, which are not doubled.
    (True, [(1, 1., 1.), (2, 0., 1.), (3, 0., 1.)]),
    (False, [(1, 1., 1.), (2, 1., 3.), (3, 1., 7.)]),
])
def test_doubled_features_have_moved_by_one(tmp_path, federated, expected):
    runner = run(
        config(
            tmp_path,
            dict(type='DoubleLastLayer'),
            HOOK,
            federated=federated,
            rounds=3,
            optim_wrapper=STILL))
    np.testing.assert_allclose(scalars_of(runner), expected, atol=1e-6)
    log = '\n'.join(p.read_text() for p in Path(runner.log_dir).glob('*.log'))
    assert 'Features after round [1/3]: moved by 1 since' in log


def test_interval(tmp_path):
    runner = run(
        config(
            tmp_path,
            dict(type='DoubleLastLayer'),
            dict(HOOK, interval=2),
            federated=False,
            rounds=5,
            optim_wrapper=STILL))
    np.testing.assert_allclose(
        scalars_of(runner), [(2, 3., 3.), (4, 3., 15.)], atol=1e-6)


def test_against_the_weights_of_each_round(tmp_path):
    """The movement computed anew from the weights of the rounds."""
    runner = run(config(tmp_path, dict(type='Witness'), HOOK, rounds=3))
    witness = hook_of(runner, Witness)
    dataset = runner.val_dataloader.dataset
    model = runner.model.eval()
    maps = []
    for weights in [witness.first, *witness.rounds]:
        model.load_state_dict(weights)
        # The pipeline's size is that of the client 'high'.
        images = torch.stack([dataset[i]['inputs'] for i in range(3)])
        mean, std = model.data_preprocessor.mean, model.data_preprocessor.std
        with torch.no_grad():
            maps.append(model.backbone((images.flip(1) - mean) / std)[0])
    for row, before, now in zip(scalars_of(runner), maps, maps[1:]):
        assert row[1] == pytest.approx(
            ((now - before).norm() / before.norm()).item(), rel=1e-4)
        assert row[2] == pytest.approx(
            ((now - maps[0]).norm() / maps[0].norm()).item(), rel=1e-4)
    moved = [row[1] for row in scalars_of(runner)]
    assert len(moved) == 3 and min(moved) > 0


@pytest.mark.parametrize('federated, val_draws', [(True, False), (True, True),
                                                  (False, False)])
def test_training_is_the_same_to_the_last_bit(tmp_path, federated, val_draws):
    """Also if the pipeline of the validation data draws numbers."""
    runners = []
    for hooks in ([], [HOOK]):
        cfg = config(
            tmp_path / str(len(hooks)),
            dict(type='Witness'),
            dict(type='Generators'),
            *hooks,
            federated=federated,
            drop_path_rate=.5)
        if val_draws:
            cfg.val_dataloader.dataset.pipeline = toy_dataset()['pipeline']
        runners.append(run(cfg))
    first, second = runners
    assert len(scalars_of(second)) == 2
    one, other = hook_of(first, Witness), hook_of(second, Witness)
    assert_states_equal(one.rounds, other.rounds)
    assert one.losses == other.losses
    for a, b in zip(
            hook_of(first, Generators).states,
            hook_of(second, Generators).states):
        assert a[0] == b[0]
        np.testing.assert_array_equal(a[1], b[1])
        assert torch.equal(a[2], b[2])
    assert [module.training for module in first.model.modules()
            ] == [module.training for module in second.model.modules()]


def test_persons_are_the_same_in_every_run(tmp_path):
    """Even if their pipeline draws numbers."""
    batches = []
    for seed in (0, 5):
        cfg = config(tmp_path / str(seed), HOOK, seed=seed, rounds=1)
        cfg.val_dataloader.dataset.pipeline = toy_dataset()['pipeline']
        batches.append(hook_of(run(cfg), FeatureMovementHook)._batch)
    for one, other in zip(*(batch['inputs'] for batch in batches)):
        assert torch.equal(one, other)


@pytest.mark.parametrize('federated, size', [(True, (32, 48)),
                                             (False, (48, 64))])
def test_persons_are_shown_at_the_highest_size(tmp_path, federated, size):
    runner = run(
        config(
            tmp_path,
            dict(HOOK, num_samples=100),
            federated=federated,
            clients=toy_clients('low', 'mid'),
            rounds=1))
    inputs = hook_of(runner, FeatureMovementHook)._batch['inputs']
    # The validation data has no more persons.
    assert [tuple(image.shape) for image in inputs] == [(3, *size[::-1])] * 4


@pytest.mark.parametrize('federated', [True, False])
def test_resume(tmp_path, federated):
    def broken_off(*hooks):
        return config(
            tmp_path / 'broken', HOOK, *hooks, federated=federated, rounds=4)

    whole = scalars_of(
        run(config(tmp_path / 'whole', HOOK, federated=federated, rounds=4)))
    with pytest.raises(KeyboardInterrupt):
        run(broken_off(dict(type='Interrupt', round_=2)))
    rest = scalars_of(run(broken_off(), resume=True))
    # Within a second, both runs write to the same file.
    rest = rest[-2:]
    assert [row[0] for row in rest] == [3, 4]
    if federated:
        assert rest == whole[2:]
    else:
        # The order of the samples is not resumed by MMEngine's sampler.
        saved = torch.load(tmp_path / 'broken/epoch_2.pth', weights_only=True)
        first = torch.load(tmp_path / 'broken/epoch_1.pth', weights_only=True)
        assert torch.equal(saved['feature_movement']['start'],
                           first['feature_movement']['start'])


def test_resume_of_a_run_without_the_hook(tmp_path):
    run(config(tmp_path, rounds=1))
    cfg = config(tmp_path, HOOK, rounds=2)
    runner = run(cfg, resume=True)
    (step, moved, from_start), = scalars_of(runner)
    assert step == 2 and moved == from_start > 0
    log = '\n'.join(p.read_text() for p in Path(runner.log_dir).glob('*.log'))
    assert 'features/from_start counts from here' in log


def test_resume_with_other_persons(tmp_path):
    run(config(tmp_path, HOOK, rounds=1))
    with pytest.raises(
            ConfigError, match='3 persons at 64x48, not 2 persons at 64x48'):
        run(
            config(tmp_path, dict(HOOK, num_samples=2), rounds=2),
            resume=True)


@pytest.mark.parametrize('argument', ['num_samples', 'interval'])
@pytest.mark.parametrize('value', [0, 1.5, True, 'many'])
def test_arguments(argument, value):
    with pytest.raises(ConfigError, match=f'FeatureMovementHook.{argument}'):
        FeatureMovementHook(**{argument: value})


def test_runs_without_validation_data(tmp_path):
    with pytest.raises(ConfigError, match='val_dataloader: it is missing'):
        run(toy_config(tmp_path, hooks=[HOOK]))


def test_training_data_without_a_crop(tmp_path):
    cfg = config(tmp_path, HOOK, federated=False)
    cfg.train_dataloader.dataset = dict(
        type='RepeatDataset', times=1, dataset=cfg.train_dataloader.dataset)
    with pytest.raises(ConfigError, match='train_dataloader.* TopdownAffine'):
        run(cfg)


