"""Clients that hold a part of the model, in runs."""

import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.registry import MODELS
from torch import nn

from mmpose_raf.engine.client_export import export_client
from mmpose_raf.engine.federation_settings import FederationSettings
from mmpose_raf.engine.narrow_clients import (build_narrow_models,
                                              connect_submodels,
                                              describe_submodel)
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import ClientUpdate, FedConv, HeteroFL
from mmpose_raf.models.narrow_config import narrow_config
from mmpose_raf.registry import AGGREGATORS
from tests.toy import SIZES, Witness, hook_of, run, toy_config, toy_model
from tests.toy import weights_of

CLIENTS = [
    dict(name='high', input_size=SIZES['high']),
    dict(name='low', input_size=SIZES['low'], width=.5)
]
CNN = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=toy_model()['data_preprocessor'],
    backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8),
    head=dict(toy_model()['head'], in_channels=64))


def model_of(kind):
    if kind == 'cnn':
        return copy.deepcopy(CNN)
    model = toy_model()
    model['backbone']['pos_embed'] = kind
    return model


@pytest.mark.parametrize('shift', [0, 1, 3])
@pytest.mark.parametrize('kind', ['gpe', 'fourier', 'ape', 'cnn'])
def test_the_parts_of_all_layers_fit_together(kind, shift):
    """A part computes what the model does whose other weights are zero.

    Zero channels would count in a LayerNorm: there are none here.
    """
    config = model_of(kind)
    settings = FederationSettings.parse(
        dict(clients=CLIENTS, aggregator=dict(type='HeteroFL')), 0)
    torch.manual_seed(0)
    wide = MODELS.build(copy.deepcopy(config))
    for tensor in wide.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(.5, 1.5).mul_(torch.randn_like(tensor).sign())
            tensor.mul_(.2)
    for name, buffer in wide.named_buffers():
        if name.endswith('running_var'):
            buffer.abs_()
    narrow = build_narrow_models(config, settings)['low']
    submodel = describe_submodel(wide, narrow, settings)
    state = wide.state_dict()
    narrow.load_state_dict(submodel.take(state, shift))
    for key, value in state.items():
        if submodel.cuts[key]:
            held = submodel.held(key, shift)
            kept = value[held].clone()
            assert 0 < kept.numel() < value.numel()
            value.zero_()[held] = kept
    outputs = []
    for model in (wide, narrow):
        for module in list(model.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.LayerNorm):
                    setattr(module, name, nn.Identity())
        images = torch.linspace(-1, 1, 2 * 3 * 64 * 48).reshape(2, 3, 64, 48)
        outputs.append(model.eval()(images, None, mode='tensor'))
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-4)
    assert outputs[0].std() > 1e-3


@pytest.mark.parametrize('kind', ['ape', 'cnn'])
def test_an_enlarged_model_computes_the_same(kind):
    """With FedConv's first kernels, and narrowed again it is as before."""
    config = model_of(kind)
    aggregator = FedConv(proxy_samples=1, steps=0, kl=0.)
    settings = FederationSettings.parse(
        dict(clients=CLIENTS,
             aggregator=dict(type='FedConv', proxy_samples=1)), 0)
    torch.manual_seed(0)
    wide = MODELS.build(copy.deepcopy(config))
    narrow = build_narrow_models(config, settings)
    connect_submodels(aggregator, wide, narrow, settings)
    narrow = narrow['low'].eval()
    for value in narrow.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) / 2 + .1)
    state = narrow.state_dict()
    mixed = aggregator._mix(wide.state_dict(),
                            [ClientUpdate('low', state, 1)])
    wide.eval().load_state_dict(mixed)
    images = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        outputs = [model(images, None, mode='tensor')
                   for model in (wide, narrow)]
    torch.testing.assert_close(*outputs, rtol=1e-3, atol=1e-4)
    part = aggregator.part_of(mixed, 'low', 0)
    for key, value in state.items():
        torch.testing.assert_close(part[key], value)


def test_a_head_is_never_cut():
    config = toy_model()
    config['backbone']['arch'].update(embed_dims=32, num_heads=4)
    config['head']['in_channels'] = 32
    with pytest.raises(ConfigError, match='0.125 of 4 attention heads is no '
                       'whole number'):
        narrow_config(config, .125, 'width')


@pytest.mark.parametrize('change, message', [
    (dict(neck=dict(type='FeatureMapProcessor')), 'a neck cannot'),
    (dict(backbone=dict(type='HRNet')), 'HRNet cannot be made narrower'),
    (dict(head=dict(type='SimCCHead')), 'SimCCHead cannot be made narrower'),
])
def test_models_that_cannot_be_made_narrower(change, message):
    with pytest.raises(ConfigError, match=message):
        narrow_config(dict(toy_model(), **change), .5, 'width')


def test_the_config_is_that_of_the_part():
    config = dict(toy_model(), init_cfg=dict(type='Pretrained'))
    before = copy.deepcopy(config)
    narrow = narrow_config(config, .5, 'width')
    assert config == before
    assert narrow['backbone']['arch'] == dict(
        embed_dims=8, num_layers=2, num_heads=1, feedforward_channels=16)
    assert narrow['head']['deconv_out_channels'] == (4, 4)
    assert 'init_cfg' not in narrow
    # What a config leaves out has MMPose's widths.
    narrow = narrow_config(
        dict(backbone=dict(type='RAFViT', arch='small'),
             head=dict(type='HeatmapHead', in_channels=384)), .25, 'width')
    assert narrow['backbone']['arch']['num_heads'] == 3
    assert narrow['head']['deconv_out_channels'] == (64, 64, 64)


@AGGREGATORS.register_module(force=True)
class SeenHeteroFL(HeteroFL):
    """HeteroFL that remembers what it was given."""

    def aggregate(self, global_state, updates):
        self.seen = [(update.client, update.state) for update in updates]
        return super().aggregate(global_state, updates)


def test_the_client_trains_its_part_as_if_it_were_the_model(tmp_path):
    """As plain FedAvg of the narrow model trains it, when it is alone."""
    options = dict(rounds=1, hooks=[dict(type='Witness')], drop_path_rate=.5,
                   param_scheduler=[
                       dict(type='LinearLR', start_factor=.1, end=3,
                            by_epoch=False)])
    runner = run(toy_config(tmp_path / 'part', clients=CLIENTS,
                            aggregator=dict(type='SeenHeteroFL'), **options))
    first = hook_of(runner, Witness).first
    aggregator = runner.train_loop.server.aggregator
    part = aggregator.part_of(first, 'low', 0)
    torch.save(dict(state_dict=part, meta={}), tmp_path / 'part.pth')

    cfg = toy_config(tmp_path / 'alone',
                     clients=('high', 'low'),
                     participation=dict(presence=dict(high=[(2, 9)])),
                     **options)
    cfg.model = narrow_config(cfg.model.to_dict(), .5, 'width')
    cfg.load_from = str(tmp_path / 'part.pth')
    alone = weights_of(run(cfg))
    seen = dict(aggregator.seen)
    assert list(seen['low']) == list(alone)
    for key, value in alone.items():
        torch.testing.assert_close(seen['low'][key], value, rtol=0, atol=0)
    # It has trained, and others see it.
    assert (part['head.final_layer.weight']
            != alone['head.final_layer.weight']).any()
    leading = weights_of(runner)['head.final_layer.weight'][:, :4]
    expected = (seen['low']['head.final_layer.weight']
                + seen['high']['head.final_layer.weight'][:, :4]) / 2
    torch.testing.assert_close(leading, expected)


@pytest.mark.parametrize('options', [
    dict(aggregator=dict(type='FedRolex')),
    dict(aggregator=dict(type='HeteroFL'), local_params='norm')
], ids=['fedrolex', 'personal'])
def test_the_clients_model_is_exported(tmp_path, options):
    runner = run(toy_config(tmp_path / 'run', clients=CLIENTS, rounds=2,
                            **options))
    # As a command does, whose process has no run behind it.
    runner.cfg.dump(str(tmp_path / 'run/config.py'))
    for path in (tmp_path / 'run').glob('*.py'):
        if path.name != 'config.py':
            path.unlink()
    written = export_client(tmp_path / 'run/epoch_2.pth', 'low',
                            tmp_path / 'low.pth')
    assert written == [tmp_path / 'low.pth', tmp_path / 'low.py']
    config = Config.fromfile(written[1])
    assert not config.custom_hooks and 'federation' not in config
    model = MODELS.build(config.model)
    state = torch.load(written[0], weights_only=True)['state_dict']
    model.load_state_dict(state)
    # By hand: in the third round the window would be at 2.
    shift = 2 if 'local_params' not in options else 0
    whole = weights_of(runner)
    rows = (np.arange(4) + shift) % 8
    name = 'head.final_layer.weight'
    assert torch.equal(state[name], whole[name][:, rows])
    own = runner.train_loop.states[1].personal
    for key, value in own.items():
        assert torch.equal(state[key], value)
    assert bool(own) == ('local_params' in options)
    with pytest.raises(ConfigError, match='no client \'high\'|is there'):
        export_client(tmp_path / 'run/epoch_2.pth', 'high',
                      tmp_path / 'low.pth')
    with pytest.raises(ConfigError, match='low.py is there already'):
        export_client(tmp_path / 'run/epoch_2.pth', 'low',
                      tmp_path / 'low.tar')


def test_a_width_that_the_algorithm_cannot_make(tmp_path):
    """It is told before anything is trained."""
    cfg = toy_config(tmp_path, clients=[dict(CLIENTS[1], width=.75)],
                     aggregator=dict(type='FedConv', proxy_samples=2))
    cfg.model.backbone.arch.update(embed_dims=32, num_heads=4)
    cfg.model.head.in_channels = 32
    with pytest.raises(ConfigError, match='low.*FedConv needs a width of 1/2'):
        run(cfg)


def test_no_mean_over_models_of_different_width(tmp_path):
    with pytest.raises(ConfigError, match='other models than the global'):
        run(toy_config(tmp_path, clients=CLIENTS,
                       aggregator=dict(type='HeteroFL'),
                       hooks=[dict(type=EMAHook)]))
