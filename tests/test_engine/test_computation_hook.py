"""Pixels that are known by hand."""

import json

import pytest

from mmpose_raf.errors import ConfigError
from tests.toy import SIZES, run, toy_config

HOOKS = [dict(type='ComputationHook')]


def megapixels(tmp_path):
    log = next(tmp_path.glob('*/vis_data/scalars.json')).read_text()
    lines = map(json.loads, log.splitlines())
    return [
        line['federation/megapixels'] for line in lines
        if 'federation/megapixels' in line
    ]


def test_every_pass_of_the_training_counts(tmp_path):
    clients = [
        dict(name=name, input_size=SIZES[name]) for name in ('high', 'low')
    ]
    # Validation passes images as well, which do not count.
    run(
        toy_config(tmp_path,
                   clients=clients,
                   rounds=2,
                   num_samples=12,
                   val=True,
                   hooks=HOOKS))
    # Six samples each: the high client's at all levels, the low's at one.
    one = 6 * (64 * 48 + 48 * 32 + 32 * 16 + 32 * 16) / 1e6
    assert megapixels(tmp_path) == pytest.approx([one, 2 * one])


def test_clients_with_models_of_their_own_count(tmp_path):
    clients = [
        dict(name='high', input_size=SIZES['high']),
        dict(name='low', input_size=SIZES['low'], width=.5)
    ]
    run(
        toy_config(tmp_path,
                   clients=clients,
                   rounds=1,
                   num_samples=12,
                   aggregator=dict(type='HeteroFL'),
                   hooks=HOOKS))
    one = 6 * (64 * 48 + 48 * 32 + 32 * 16 + 32 * 16) / 1e6
    assert megapixels(tmp_path) == pytest.approx([one])


def test_a_compiled_backbone_is_refused(tmp_path):
    cfg = toy_config(tmp_path, hooks=HOOKS)
    cfg.model.torch_compile = True
    with pytest.raises(ConfigError, match='custom_hooks.*ComputationHook'):
        run(cfg)
