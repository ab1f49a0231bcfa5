"""Graphs of torch.export, and of the older exporter to ONNX."""

import numpy as np
import onnxruntime
import pytest
import torch

from mmpose_raf.export import export_program
from mmpose_raf.models import RAFViT

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def program(deployed, tmp_path_factory):
    """The model, exported, saved and loaded again."""
    path = tmp_path_factory.mktemp('program') / 'pose.pt2'
    torch.export.save(export_program(deployed), path)
    return torch.export.load(path).module()


@pytest.mark.parametrize('shape', [(1, 128, 96, 3), (5, 64, 48, 3),
                                   (2, 192, 256, 3), (1, 16, 16, 3)])
def test_outputs_are_the_models(shape, program, deployed):
    images = torch.randint(256, shape, dtype=torch.uint8)
    with torch.no_grad():
        for found, expected in zip(program(images), deployed(images)):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize('shape', [(1, 520, 96, 3), (1, 8, 96, 3)])
def test_other_sizes_are_refused(shape, program):
    with pytest.raises((AssertionError, RuntimeError)):
        program(torch.zeros(shape, dtype=torch.uint8))


@pytest.mark.filterwarnings('ignore')
def test_torchscript_exports_the_backbone(tmp_path):
    backbone = RAFViT(
        dict(
            embed_dims=16, num_layers=1, num_heads=2,
            feedforward_channels=32)).eval()
    for parameter in backbone.parameters():
        torch.nn.init.normal_(parameter, std=.2)
    images = torch.randn(1, 3, 64, 48)
    file = str(tmp_path / 'backbone.onnx')
    torch.onnx.export(
        backbone, (images, ), file, dynamo=False, input_names=['images'])
    session = onnxruntime.InferenceSession(
        file, providers=['CPUExecutionProvider'])
    found, = session.run(None, dict(images=images.numpy()))
    with torch.no_grad():
        np.testing.assert_allclose(found, backbone(images)[0], atol=1e-4)
