"""Configs that come with the package, by name."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmpose_raf.config_file import read_config

ROOT = Path(__file__).parents[2]


def test_base(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("_base_ = ['mmpose_raf::raf_demo.py']\n"
                    'train_cfg = dict(max_epochs=3)\n')
    expected = Config.fromfile(ROOT / 'configs/raf_demo.py')
    expected.train_cfg.max_epochs = 3
    assert Config.fromfile(path).to_dict() == expected.to_dict()


def test_those_of_mmpose(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("_base_ = ['mmpose::_base_/default_runtime.py']\n")
    assert Config.fromfile(path).default_scope == 'mmpose'


def test_on_the_command_line():
    named = read_config('mmpose_raf::algorithms/fedprox.py')
    assert named.to_dict() == Config.fromfile(
        ROOT / 'configs/algorithms/fedprox.py').to_dict()


def test_missing(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("_base_ = ['mmpose_raf::nobody.py']\n")
    with pytest.raises(FileNotFoundError, match='nobody.py'):
        Config.fromfile(path)
