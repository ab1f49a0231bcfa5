"""docs/concepts.md and its drawing speak of what is in the code."""

import inspect
import re
import runpy
from dataclasses import fields
from pathlib import Path

import mmengine.hooks
import mmengine.runner
import pytest
import torch

import mmpose_raf.engine
from mmpose_raf import datasets, federation
from mmpose_raf.datasets import (client, client_batch_sampler, participation,
                                 partitioners, schedule)
from mmpose_raf.engine import (federated_train_loop, federation_settings,
                               local_trainer)
from tests.toy import run, toy_config

DOCS = Path(__file__).parents[2] / 'docs'
TEXT = (DOCS / 'concepts.md').read_text()
DRAWING = runpy.run_path(str(DOCS / 'draw_flow.py'))
PLACES = (mmpose_raf.engine, federation, datasets, client,
          client_batch_sampler, participation, partitioners, schedule,
          federated_train_loop, federation_settings, local_trainer,
          mmengine.hooks, mmengine.runner, torch.utils.data)


def table(heading):
    """First column of the table with this first cell in its heading."""
    rows = TEXT.split(f'| {heading} |')[1].split('\n\n')[0]
    return re.findall(r'^\| `(\w+)`', rows, re.M)


@pytest.mark.parametrize(
    'name',
    sorted(({*DRAWING['BOXES']} - {'config'})
           | set(re.findall(r'`([A-Z][a-z]+[A-Z]\w+)`', TEXT))))
def test_classes_exist(name):
    assert any(inspect.isclass(getattr(place, name, None)) for place in PLACES)


def test_methods_exist():
    for cls, method in re.findall(r'`([A-Z]\w+)\.(\w+)\(', TEXT):
        assert any(
            hasattr(getattr(place, cls, None), method)
            for place in PLACES), f'{cls}.{method}'


def test_checkpoint_is_as_described(tmp_path):
    run(toy_config(tmp_path, rounds=1))
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    assert set(table('`federation`')) == set(saved['federation'])
    kept = {field.name for field in fields(federation.ClientState)}
    assert set(saved['federation']['clients']['high']) == kept
