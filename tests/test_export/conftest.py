"""A small model, exported once for all tests."""

import pytest

from mmpose_raf.export import DeployedModel, export_onnx, load_trained_model
from tests.small_model import save_small_model


@pytest.fixture(scope='session')
def trained(tmp_path_factory):
    """Config and checkpoint of a model with one block."""
    return save_small_model(tmp_path_factory.mktemp('trained'))


@pytest.fixture(scope='session')
def deployed(trained):
    """The model with preprocessing and decoding."""
    return DeployedModel(load_trained_model(*trained))


@pytest.fixture(scope='session')
def onnx_file(trained, tmp_path_factory):
    """The model as an ONNX file."""
    path = tmp_path_factory.mktemp('onnx') / 'pose.onnx'
    found, = export_onnx(*trained, path, input_sizes=[(48, 64)])
    assert found.size == (48, 64) and found.heatmap_difference < 1e-4
    assert found.onnxruntime_ms > 0 and found.torch_ms > 0
    return path
