"""One-shot learning as a whole, on a tiny federation."""

import pytest
import torch
from mmpose.registry import MODELS

from mmpose_raf.datasets.schedule import Visit
from mmpose_raf.errors import ConfigError
from mmpose_raf.one_shot import OneShotSettings, run_one_shot
from mmpose_raf.one_shot.client_training import client_config
from mmpose_raf.one_shot.one_shot_settings import check_federation
from mmpose_raf.one_shot.server_side import ServerSide
from mmpose_raf.engine.preflight import read_settings
from tests.test_engine.by_hand import FederationByHand
from tests.tool_main import tool_main
from tests.toy import (Witness, assert_states_equal, hook_of, run,
                       toy_config, toy_dataset)

ONE_SHOT = dict(
    num_images=5,
    batch_size=3,
    inversion=dict(steps=3, keep=(.5, )),
    distillation=dict(epochs=2, batch_size=2))


def config(folder, **options):
    cfg = toy_config(folder, batch_size=2, num_samples=8, **options)
    cfg.one_shot = dict(ONE_SHOT)
    return cfg


def load(path):
    return torch.load(path, weights_only=True)


@pytest.mark.slow
def test_a_client_trains_as_if_there_were_no_others(tmp_path):
    cfg = config(
        tmp_path, val=True, aggregator=dict(type='FedAdam'),
        participation=.5)
    own = client_config(cfg, read_settings(cfg), 'low', sends_poses=True)
    own.custom_hooks = [*own.custom_hooks, dict(type='Witness')]
    witness = hook_of(run(own), Witness)
    by_hand = FederationByHand(
        toy_config(tmp_path, batch_size=2, num_samples=8), witness.first)
    sampler, = by_hand.samplers
    for number, got in enumerate(witness.rounds):
        batches = list(sampler.batches_of(Visit(1, number, 0.)))
        expected = by_hand.train(1, [[batch] for batch in batches])
        by_hand.model.load_state_dict(expected)
        for key, value in got.items():
            torch.testing.assert_close(
                value, expected[key], rtol=0, atol=1e-6)
    log = next((tmp_path / 'clients/low').glob('*/*.log')).read_text()
    assert 'Epoch(val)' not in log
    # It sends the poses of one round: 4 samples with 3 keypoints.
    sent = load(tmp_path / 'clients/low/epoch_2.pth')['pose_statistics']
    assert sent['poses'] == 4 and sent['labelled'].tolist() == [4] * 3
    assert cfg.custom_hooks[0].aggregator.type == 'FedAdam'  # as it was


@pytest.mark.slow
def test_from_clients_to_the_global_model(tmp_path, monkeypatch):
    """It is broken off while images are made, and goes on."""
    monkeypatch.setattr('mmpose_raf.one_shot.server_side.get_device',
                        lambda: 'cpu')
    monkeypatch.setattr('mmengine.runner.runner.get_device', lambda: 'cpu')
    whole = load(run_one_shot(config(tmp_path / 'whole')))
    assert len(list((tmp_path / 'whole/images').glob('*.pth'))) == 2
    model = MODELS.build(config(tmp_path).model)
    model.load_state_dict(whole['state_dict'])
    mean = [
        load(tmp_path / f'whole/clients/{name}/epoch_2.pth')['state_dict']
        for name in ('high', 'low')
    ]
    assert any(not torch.equal(value, (mean[0][key] + mean[1][key]) / 2)
               for key, value in whole['state_dict'].items()
               if value.is_floating_point())
    assert whole['meta']['dataset_meta']['dataset_name'] == 'toy'

    invert = ServerSide.invert

    def broken_off(self, batch):
        if batch:
            raise KeyboardInterrupt
        return invert(self, batch)

    cfg = config(tmp_path / 'broken')
    monkeypatch.setattr(ServerSide, 'invert', broken_off)
    with pytest.raises(KeyboardInterrupt, match='continue with --resume'):
        run_one_shot(cfg)
    monkeypatch.setattr(ServerSide, 'invert', invert)
    with pytest.raises(ConfigError, match='already holds a run'):
        run_one_shot(cfg)
    clients = sorted((tmp_path / 'broken/clients').glob('*/*.pth'))
    times = [path.stat().st_mtime_ns for path in clients]
    cfg.resume = True
    again = load(run_one_shot(cfg))
    assert_states_equal(dict(whole['state_dict']), dict(again['state_dict']))
    assert [path.stat().st_mtime_ns for path in clients] == times
    # Images of other settings are not taken for these.
    cfg.one_shot.inversion = dict(steps=4, keep=(.5, ))
    with pytest.raises(ConfigError, match='other settings or clients'):
        run_one_shot(cfg)


@pytest.mark.parametrize('changes, field', [
    (dict(num_images=0), 'one_shot.num_images'),
    (dict(batch_size=1.5), 'one_shot.batch_size'),
    (dict(labels='hard'), 'one_shot.labels'),
    (dict(pose_prior='coco'), 'one_shot.pose_prior'),
    (dict(images=3), 'one_shot.images'),
    (dict(inversion=dict(step=3)), 'one_shot.inversion.step'),
    (dict(inversion=[3]), 'one_shot.inversion'),
    (dict(distillation=dict(epochs=0)), 'one_shot.distillation.epochs'),
    (dict(distillation=dict(lr_factor=-1)),
     'one_shot.distillation.lr_factor'),
])
def test_settings(tmp_path, changes, field):
    cfg = config(tmp_path)
    cfg.one_shot = {**ONE_SHOT, **changes}
    with pytest.raises(ConfigError) as error:
        OneShotSettings.of_config(cfg)
    assert error.value.field == field
    assert '\n' not in str(error.value)


def test_defaults(tmp_path):
    cfg = config(tmp_path)
    cfg.one_shot = None
    assert OneShotSettings.of_config(cfg).labels == 'relabel'


@pytest.mark.parametrize('options, field', [
    (dict(local_params='norm'), 'federation.local_params'),
    (dict(adapters=dict(type='LoRA')), 'federation.adapters'),
    (dict(clients=[dict(name='a', input_size=(48, 64), attack=dict(
        type='SignFlip'))]), 'federation.clients[0].attack'),
    (dict(clients=[dict(name='a', input_size=(48, 64), width=.5)],
          aggregator=dict(type='HeteroFL')), 'federation.clients[0].width'),
])
def test_federations_that_send_no_whole_models(tmp_path, options, field):
    with pytest.raises(ConfigError) as error:
        check_federation(read_settings(config(tmp_path, **options)))
    assert error.value.field == field


def test_models_without_tokens(tmp_path):
    cfg = config(tmp_path)
    model = MODELS.build(cfg.model)
    settings = OneShotSettings.of_config(cfg)
    settings.check_model(model)
    model.backbone = torch.nn.Conv2d(3, 16, 16, stride=16)
    with pytest.raises(ConfigError, match='Conv2d has no tokens'):
        settings.check_model(model)
    cfg.one_shot.inversion.keep = ()
    with pytest.raises(ConfigError, match='one_shot.labels'):
        OneShotSettings.of_config(cfg).check_model(model)
    cfg.one_shot.labels = 'ensemble'
    OneShotSettings.of_config(cfg).check_model(model)
    model.head = torch.nn.Identity()
    with pytest.raises(ConfigError, match='HeatmapHead'):
        OneShotSettings.of_config(cfg).check_model(model)


def test_errors_of_the_command(tmp_path, monkeypatch, capsys):
    """One line, and nothing is written."""
    cfg = config(tmp_path / 'run')
    cfg.one_shot.pose_prior = dict(toy_dataset(), type='Unknown')
    path = tmp_path / 'config.py'
    cfg.dump(path)
    assert tool_main('one-shot', monkeypatch, path) == 2
    assert tool_main('one-shot', monkeypatch, path, '--cfg-options',
                     'one_shot.labels=none') == 2
    assert tool_main('one-shot', monkeypatch, path, '--resume',
                     '--cfg-options', 'one_shot.pose_prior=None') == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line.split(':')[1].strip() for line in lines] == [
        'one_shot.pose_prior', 'one_shot.labels', '--resume']
    assert not (tmp_path / 'run').exists()
