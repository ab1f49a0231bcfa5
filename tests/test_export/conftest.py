"""A small model, exported once for all tests."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import save_checkpoint
from mmpose.registry import MODELS

from mmpose_raf.export import DeployedModel, load_trained_model
from mmpose_raf.export.onnx_file import write_onnx

DEMO = Path(__file__).parents[2] / 'configs/raf_demo.py'


@pytest.fixture(scope='session')
def trained(tmp_path_factory):
    """Config and checkpoint of a model with one block."""
    folder = tmp_path_factory.mktemp('trained')
    cfg = Config.fromfile(DEMO)
    cfg.model.backbone.arch.update(
        embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32)
    cfg.model.head.update(in_channels=16, deconv_out_channels=(8, ))
    cfg.dump(folder / 'config.py')
    init_default_scope('mmpose')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=.2)
    model.head.final_layer.bias.data += 1  # scores as of persons
    save_checkpoint(
        dict(meta={}, state_dict=model.state_dict()),
        str(folder / 'epoch_1.pth'))
    return folder / 'config.py', folder / 'epoch_1.pth'


@pytest.fixture(scope='session')
def deployed(trained):
    """The model with preprocessing and decoding."""
    return DeployedModel(load_trained_model(*trained))


@pytest.fixture(scope='session')
def onnx_file(deployed, tmp_path_factory):
    """The model as an ONNX file."""
    path = tmp_path_factory.mktemp('onnx') / 'pose.onnx'
    write_onnx(deployed, path)
    return path
