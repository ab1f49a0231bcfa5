"""More processes than GPUs."""

from datetime import timedelta

import pytest
import torch
from mmengine.config import Config

from mmpose_raf.engine.process_group import process_group
from mmpose_raf.errors import ConfigError


@pytest.fixture
def calls(monkeypatch):
    """What is done to torch, in order."""
    calls = []

    def note(name):
        return lambda *args, **kwargs: calls.append(
            (name, *args, *kwargs.values()))

    monkeypatch.setattr(torch.cuda, 'set_device', note('set_device'))
    for name in ('init_process_group', 'barrier', 'destroy_process_group'):
        monkeypatch.setattr(torch.distributed, name, note(name))
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '3')
    monkeypatch.setenv('LOCAL_RANK', '2')
    return calls


def enter(monkeypatch, num_gpus, **fields):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: num_gpus)
    cfg = Config(dict(launcher='pytorch', **fields))
    with process_group(cfg):
        pass
    return cfg


END = [('barrier', ), ('destroy_process_group', )]
DAY = timedelta(days=1)


def test_none_without_launcher(monkeypatch, calls):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    with process_group(Config(dict(launcher='none'))):
        pass
    assert not calls


def test_enough_gpus_are_mmengines(monkeypatch, calls):
    cfg = enter(monkeypatch, 3)
    assert 'model_wrapper_cfg' not in cfg
    # Of which MMEngine makes the group.
    assert cfg.env_cfg.dist_cfg == dict(backend='nccl', timeout=86400)
    assert calls == END


def test_gpus_are_shared(monkeypatch, calls):
    cfg = enter(monkeypatch, 2)
    assert 'model_wrapper_cfg' not in cfg
    assert calls == [('set_device', 0), ('init_process_group', 'gloo', DAY),
                     *END]


def test_no_gpu(monkeypatch, calls):
    cfg = enter(monkeypatch, 0, find_unused_parameters=True)
    assert cfg.model_wrapper_cfg.device_ids is None
    assert cfg.model_wrapper_cfg.find_unused_parameters
    assert calls == [('init_process_group', 'gloo', DAY), *END]


def test_a_timeout_of_ones_own(monkeypatch, calls):
    enter(monkeypatch, 0, env_cfg=dict(dist_cfg=dict(timeout=60)))
    assert calls[0][-1] == timedelta(minutes=1)


def test_without_torchrun(monkeypatch, calls):
    monkeypatch.delenv('LOCAL_WORLD_SIZE')
    with pytest.raises(ConfigError, match='--launcher: .*torchrun'):
        enter(monkeypatch, 0)
    assert not calls


def test_a_wrapper_of_ones_own_is_kept(monkeypatch, calls):
    own = dict(type='MMDistributedDataParallel', static_graph=True)
    cfg = enter(monkeypatch, 0, model_wrapper_cfg=own)
    assert cfg.model_wrapper_cfg == own


def test_after_an_error_nobody_is_waited_for(monkeypatch, calls):
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 0)
    with pytest.raises(KeyboardInterrupt):
        with process_group(Config(dict(launcher='pytorch'))):
            raise KeyboardInterrupt
    assert calls == [('init_process_group', 'gloo', DAY)]
