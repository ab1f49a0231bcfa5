"""Every algorithm: one round of a ViT with RAF and of a CNN."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmpose_raf.engine.preflight import read_settings
from mmpose_raf.registry import AGGREGATORS, LOCAL_OBJECTIVES
from tests.tool_main import tool_main

CONFIGS = sorted(
    (Path(__file__).parents[1] / 'configs/algorithms').glob('*.py'))
MODELS = dict(vit='''
model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=32, num_layers=1,
                            num_heads=2, feedforward_channels=64)),
    head=dict(in_channels=32, deconv_out_channels=(8, )))
''',
              cnn='''
model = dict(
    ladder=[], distill=None,
    backbone=dict(_delete_=True, type='ResNet', depth=18, base_channels=8,
                  stem_channels=8),
    head=dict(in_channels=64, deconv_out_channels=(8, 8, 8),
              deconv_kernel_sizes=(4, 4, 4)))
test_cfg = dict(_delete_=True)  # its sizes are a ViT's
''')
DATA = '''
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False,
                        dataset=dict(num_samples=20))
val_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False,
                      dataset=dict(num_samples=4))
'''
# That a ResNet's stride of 32 divides.
SIZES = {(96, 128): (96, 128), (72, 96): (64, 96), (48, 64): (32, 64)}
IS_FAST = [('fedbn', 'cnn'), ('moon', 'vit'), ('fedasmu', 'vit')]


def test_every_algorithm_has_a_config():
    settings = [read_settings(Config.fromfile(path)) for path in CONFIGS]
    used = {own.aggregator['type'] for own in settings}
    missing = {
        name
        for name, kind in AGGREGATORS.module_dict.items()
        if kind.__module__.startswith('mmpose_raf.')
    } - used
    assert not missing
    used = {
        own.local_objective['type']
        for own in settings if own.local_objective
    }
    assert set(LOCAL_OBJECTIVES.module_dict) <= used
    assert any(own.local_params == 'norm' for own in settings)
    assert any(own.is_asynchronous for own in settings)


@pytest.mark.parametrize('model, path', [
    pytest.param(model,
                 path,
                 id=f'{model}-{path.stem}',
                 marks=[] if
                 (path.stem, model) in IS_FAST else pytest.mark.slow)
    for model in MODELS for path in CONFIGS
])
def test_one_round(model, path, tmp_path, monkeypatch):
    config = tmp_path / f'{path.stem}.py'
    config.write_text(f"_base_ = '{path}'\n" + MODELS[model] + DATA)
    cfg = Config.fromfile(config)
    clients, aggregator = cfg.federation.clients, cfg.federation.get(
        'aggregator', {})
    sizes = [] if model == 'vit' else [
        f'federation.clients.{i}.input_size={SIZES[client.input_size]}'
        for i, client in enumerate(clients)
    ]
    layers = [
        'federation.local_objective.layers=' +
        dict(vit="['layers.0']", cnn="['layer1']")[model]
    ] if path.stem == 'feature_alignment' else []
    proxy = ['federation.aggregator.proxy_samples=4'
             ] if 'proxy_samples' in aggregator else []
    work_dir = tmp_path / 'run'
    monkeypatch.setenv('LOCAL_RANK', '0')
    code = tool_main('train', monkeypatch, config, '--work-dir', work_dir,
                     '--cfg-options', 'train_cfg.max_epochs=1',
                     'train_cfg.val_interval=1', *sizes, *proxy, *layers)
    assert code == 0
    saved = torch.load(work_dir / 'epoch_1.pth', weights_only=True)
    federation = saved['federation']
    assert federation['server']['version'] >= 1
    name = federation['identity']['aggregator'].split(',')[0]
    assert name == aggregator.get('type', 'FedAvg')
    for value in saved['state_dict'].values():
        assert value.isfinite().all()
    log = next(work_dir.glob('*/*.log')).read_text()
    # Not every client comes in each round of these.
    if path.stem not in ('dropping_out', 'fedasmu'):
        assert all(f'client {client.name} (' in log for client in clients)
    assert 'Traffic: ' in log
    assert 'PCK: ' in log
