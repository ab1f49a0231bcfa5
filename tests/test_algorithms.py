"""Every algorithm's config, with a ViT with RAF and with a CNN.

That each does what its paper says is tested in test_federation.
"""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmpose_raf.errors import ConfigError
from mmpose_raf.engine.preflight import check_run, read_settings
from mmpose_raf.registry import (AGGREGATORS, LOCAL_DEFENCES,
                                 LOCAL_OBJECTIVES)
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
# For each thing that shows in a training alone, one that has it.
TRAINED = [
    ('fedbn', 'cnn'),  # layers that stay with the clients
    ('moon', 'vit'),  # features are compared
    ('fedasmu', 'vit'),  # asynchronous
    ('fedasmu_device', 'cnn'),  # clients get weights twice
    ('fedlaw', 'vit'),  # samples on the server
    ('scaffold', 'cnn'),  # more than weights is sent
    ('feature_alignment', 'cnn'),  # inner layers are compared
    ('pgfed', 'vit'),  # each client is sent something of its own
    ('adversarial_training', 'cnn'),  # batches are changed
    ('frl', 'cnn'),  # weights are fixed, scores are trained
    ('flip', 'vit'),  # heatmaps are looked at before the step
    ('fedyogi', 'cnn'),  # a server optimizer
    ('dropping_out', 'vit'),  # clients are absent
    ('heterofl', 'cnn'),  # a client holds a part of the model
    ('fedrolex', 'vit'),  # another one in each round
    ('fedconv', 'cnn'),  # it is made by the server, and judged
    ('personal_lora', 'vit'),  # adapters are trained
]
IS_FAST = [('fedbn', 'cnn'), ('fedasmu', 'vit')]


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
    used = {
        defence['type']
        for own in settings for defence in own.local_defence
    }
    assert set(LOCAL_DEFENCES.module_dict) <= used
    assert any(own.local_params == 'norm' for own in settings)
    assert any(own.is_asynchronous for own in settings)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
@pytest.mark.parametrize('model', MODELS)
def test_config_passes_the_checks_before_a_run(model, path, tmp_path):
    cfg = read_config(model, path, tmp_path)
    if model == 'cnn' and 'adapters' in cfg.federation:
        with pytest.raises(ConfigError, match='no transformer blocks'):
            check_run(cfg)
    else:
        check_run(cfg)


def test_the_page_of_algorithms_names_every_config():
    page = Path(__file__).parents[1] / 'docs/algorithms.md'
    text = page.read_text()
    assert [path.name for path in CONFIGS if path.name not in text] == []


@pytest.mark.parametrize('algorithm, model', [
    pytest.param(*case, marks=[] if case in IS_FAST else pytest.mark.slow)
    for case in TRAINED
])
def test_one_round(algorithm, model, tmp_path, monkeypatch):
    path = Path(__file__).parents[1] / f'configs/algorithms/{algorithm}.py'
    cfg = read_config(model, path, tmp_path)
    config = tmp_path / f'{algorithm}.py'
    cfg.dump(config)
    monkeypatch.setenv('LOCAL_RANK', '0')
    code = tool_main('train', monkeypatch, config, '--cfg-options',
                     'train_cfg.max_epochs=1', 'train_cfg.val_interval=1')
    assert code == 0
    work_dir = Path(cfg.work_dir)
    saved = torch.load(work_dir / 'epoch_1.pth', weights_only=True)
    federation = saved['federation']
    assert federation['server']['version'] >= 1
    # After a comma comes whom it hands updates on to.
    assert federation['identity']['aggregator'].split(
        ',')[0] == read_settings(cfg).aggregator['type']
    for value in saved['state_dict'].values():
        assert value.isfinite().all()
    log = next(work_dir.glob('*/*.log')).read_text()
    # Not every client comes in each round of these.
    if algorithm not in ('dropping_out', 'fedasmu', 'fedasmu_device'):
        assert all(f'client {client.name} (' in log
                   for client in cfg.federation.clients)
    assert 'Traffic: ' in log
    assert 'PCK: ' in log


def read_config(model, path, folder):
    """A small version of an algorithm's config."""
    config = folder / f'small_{path.stem}.py'
    config.write_text(f"_base_ = '{path}'\n" + MODELS[model] + DATA)
    cfg = Config.fromfile(config)
    cfg.work_dir = str(folder / 'run')
    if model == 'cnn':
        for client in cfg.federation.clients:
            client.input_size = SIZES[client.input_size]
    if path.stem == 'feature_alignment':
        cfg.federation.local_objective.layers = [
            dict(vit='layers.0', cnn='layer1')[model]
        ]
    if 'proxy_samples' in cfg.federation.get('aggregator', {}):
        cfg.federation.aggregator.proxy_samples = 4
    return cfg
