"""Weights of another model."""

import contextlib
import logging

import pytest
import torch
from mmengine.runner import Runner, load_checkpoint
from torch import nn

from mmpose_raf.checkpoints import fitting
from mmpose_raf.errors import ConfigError
from tests.test_checkpoints.comparing import assert_one_line
from tests.toy import run, toy_config

ACCEPT = 'MMPOSE_RAF_ACCEPT_PARTIAL'


def build_model(width=8):
    """20 numbers, and three times the width; BatchNorm has a counter."""
    return nn.Sequential(
        nn.Linear(4, 4), nn.BatchNorm1d(width, affine=False),
        nn.Linear(width, 1, bias=False))


@pytest.fixture
def logged(monkeypatch):
    messages = []
    monkeypatch.setattr(
        fitting, 'print_log',
        lambda message, logger, level: messages.append((message, level)))
    return messages


def save(path, weights):
    torch.save(weights, path)
    return str(path)


class TestLoadFitting:

    def test_all(self):
        source, target = build_model(), build_model()
        fit = fitting.load_fitting(target, source.state_dict())
        assert fit.is_whole and fit.share == 1
        assert torch.equal(source[0].weight, target[0].weight)

    def test_the_counter_is_not_missed(self):
        weights = build_model().state_dict()
        del weights['1.num_batches_tracked']
        assert fitting.load_fitting(build_model(), weights).is_whole

    def test_missing(self):
        """16 of 44 numbers: 20, twice 8, 8."""
        weights = build_model().state_dict()
        del weights['0.weight']
        fit = fitting.load_fitting(build_model(), weights)
        assert fit.missing == ['0.weight'] and not fit.is_whole
        assert fit.share == pytest.approx(28 / 44)

    def test_other_shapes(self):
        """Those that fit are loaded all the same."""
        source, target = build_model(width=5), build_model()
        fit = fitting.load_fitting(target, source.state_dict())
        assert fit.misshapen == [
            '1.running_mean', '1.running_var', '2.weight'
        ]
        assert not fit.missing and not fit.unexpected
        assert fit.share == pytest.approx(20 / 44)
        assert torch.equal(source[0].weight, target[0].weight)

    def test_unexpected(self):
        weights = build_model().state_dict()
        weights['3.weight'] = torch.ones(1)
        fit = fitting.load_fitting(build_model(), weights)
        assert fit.unexpected == ['3.weight'] and fit.share == 1
        assert not fit.is_whole

    @pytest.mark.parametrize('value', [3, None, 'a', [1.]], ids=repr)
    def test_what_is_no_tensor(self, value):
        weights = dict(build_model().state_dict())
        weights['0.bias'] = value
        fit = fitting.load_fitting(build_model(), weights)
        assert fit.misshapen == ['0.bias']


@pytest.mark.parametrize('content', [
    {}, dict(state_dict={}), dict(state_dict=None), dict(state_dict=[1]),
    dict(meta=dict(epoch=1)), {1: torch.ones(1)}
], ids=repr)  # yapf: disable
def test_no_weights(tmp_path, content):
    path = save(tmp_path / 'a.pth', content)
    with pytest.raises(ConfigError, match='holds no weights') as error:
        load_checkpoint(build_model(), path)
    assert error.value.field == path
    assert_one_line(error)


def test_nothing_fits(tmp_path):
    """As of checkpoints without their prefix."""
    weights = {
        f'backbone.{name}': value
        for name, value in build_model().state_dict().items()
    }
    path = save(tmp_path / 'a.pth', weights)
    with pytest.raises(ConfigError) as error:
        load_checkpoint(build_model(), path)
    message = str(error.value)
    assert_one_line(error)
    assert message.startswith(f'{path}: 0% of the model fits; ')
    assert 'backbone.0.weight' in message and ACCEPT not in message


def test_a_part_without_a_runner(tmp_path, logged):
    """Such as a backbone, of a classifier's checkpoint."""
    weights = build_model().state_dict()
    del weights['0.weight'], weights['0.bias']
    load_checkpoint(build_model(), save(tmp_path / 'a.pth', weights))
    (message, level), = logged
    assert level == logging.WARNING and '2 weights are missing, e.g. 0.weight' in message


# -- Runs --------------------------------------------------------------------


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """The folder of a run of a round."""
    folder = tmp_path_factory.mktemp('trained')
    run(toy_config(folder, rounds=1, num_samples=4))
    return folder


def change_weights(trained, path, change):
    """Write the run's checkpoint with other weights."""
    checkpoint = torch.load(trained / 'epoch_1.pth', weights_only=True)
    change(checkpoint['state_dict'])
    return save(path, checkpoint)


def drop_head(weights):
    for name in [name for name in weights if name.startswith('head.')]:
        del weights[name]


def drop_backbone(weights):
    for name in [name for name in weights if name.startswith('backbone.')]:
        del weights[name]


def drop_one(weights):
    del weights['head.final_layer.bias']


def add_one(weights):
    weights['head.keypoints'] = torch.ones(1)


def reshape_one(weights):
    weights['head.final_layer.bias'] = torch.ones(7)


CHANGES = dict(
    drop_backbone=drop_backbone,
    drop_head=drop_head,
    drop_one=drop_one,
    add_one=add_one,
    reshape_one=reshape_one)


def build_tester(tmp_path, path):
    cfg = toy_config(tmp_path, val=True)
    cfg.update(
        test_cfg=dict(),
        test_dataloader=cfg.val_dataloader,
        test_evaluator=cfg.val_evaluator,
        load_from=path)
    return Runner.from_cfg(cfg)


def start(purpose, tmp_path, path):
    """Use a checkpoint; without an error it ends well."""
    if purpose == 'test':
        build_tester(tmp_path / 'test', path).test()
    else:
        cfg = toy_config(tmp_path / purpose, rounds=2, num_samples=4)
        run(cfg, load_from=path, resume=purpose == 'resume')


@pytest.mark.parametrize('purpose', ['test', 'resume', 'load_from'])
@pytest.mark.parametrize('name', CHANGES)
def test_runs(trained, tmp_path, purpose, name):
    """A test needs every weight; new training takes half of a model."""
    path = change_weights(trained, tmp_path / 'a.pth', CHANGES[name])
    is_refused = purpose != 'load_from' or name == 'drop_backbone'
    with (pytest.raises(ConfigError)
          if is_refused else contextlib.nullcontext()) as error:
        start(purpose, tmp_path, path)
    if is_refused:
        assert error.value.field == path
        assert f'set {ACCEPT}={path}' in str(error.value)


@pytest.mark.parametrize('name', ['drop_backbone', 'add_one'])
def test_accepted_parts(trained, tmp_path, monkeypatch, name):
    path = change_weights(trained, tmp_path / 'a.pth', CHANGES[name])
    monkeypatch.setenv(ACCEPT, path)
    start('test', tmp_path, path)
    start('load_from', tmp_path, path)


def test_whole_checkpoints_are_no_matter(trained, tmp_path):
    for purpose in ('test', 'resume', 'load_from'):
        start(purpose, tmp_path, str(trained / 'epoch_1.pth'))
