"""ONNX files in onnxruntime against the models they are of."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

from mmpose_raf.errors import ConfigError
from mmpose_raf.export import (DeployedModel, export_onnx,
                               load_trained_model)
from mmpose_raf.export.onnx_check import check_onnx
from mmpose_raf.export.onnx_file import write_onnx
from tests.test_export.drawn_heatmaps import gaussians

pytestmark = pytest.mark.slow


def open_file(path):
    return onnxruntime.InferenceSession(
        str(path), providers=['CPUExecutionProvider'])


def run_file(path, images):
    session = open_file(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(images=images))))


def noise(*shape):
    return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


# The ladder's sizes, one beside them, below and beyond them, landscape, the
# smallest, the highest. Only people of the ladder's shape are fitted to it.
@pytest.mark.parametrize('batch', [1, 3])
@pytest.mark.parametrize('size, seen', [
    ((128, 96), (128, 96)),
    ((96, 72), (96, 72)),
    ((64, 48), (64, 48)),
    ((80, 64), (80, 64)),
    ((32, 24), (64, 48)),
    ((192, 144), (128, 96)),
    ((96, 128), (96, 128)),
    ((16, 24), (16, 24)),
    ((512, 40), (512, 40)),
])
def test_any_batch_and_size(size, seen, batch, onnx_file, deployed):
    images = noise(batch, *size, 3)
    found = run_file(onnx_file, images)
    with torch.no_grad():
        keypoints, scores, heatmaps = deployed(torch.from_numpy(images))
    assert found['heatmaps'].shape == (batch, 17, seen[0] // 4, seen[1] // 4)
    assert found['heatmaps'].std() > .1
    np.testing.assert_allclose(found['heatmaps'], heatmaps, atol=1e-4)
    np.testing.assert_allclose(found['scores'], scores, atol=1e-4)
    # Noise has maxima so flat that rounding moves some; persons follow below.
    distance = np.abs(found['keypoints'] - keypoints.numpy())
    assert np.median(distance) < 1e-2


def test_persons_are_decoded_as_in_torch(deployed, tmp_path):
    """The decoder alone, on heatmaps of known keypoints."""
    axes = {2: torch.export.Dim('h', max=128), 3: torch.export.Dim('w')}
    file = str(tmp_path / 'decoder.onnx')
    torch.onnx.export(
        torch.export.export(
            deployed.decoder, (torch.rand(1, 2, 32, 24), ),
            dynamic_shapes=(axes, )),
        dynamo=True,
        input_names=['images'],
        verbose=False).save(file)
    for size in ((24, 32), (36, 48), (12, 16), (64, 32)):
        unit = 4 * np.array(size) / (np.array(size) - 1)
        keypoints = np.array([[20.3, 31.8], [39.5, 12.2]])
        heatmaps = gaussians(keypoints, 1.5 * size[1] / 32, size, unit)
        found = run_file(file, heatmaps.numpy())
        places = next(iter(found.values()))
        np.testing.assert_allclose(
            places, deployed.decoder(heatmaps)[0], atol=1e-3)
        np.testing.assert_allclose(places[0], keypoints, atol=1)


def test_heights_beyond_the_tables_are_an_error(onnx_file):
    with pytest.raises(Exception, match='out of data bounds'):
        run_file(onnx_file, noise(1, 520, 96, 3))


def test_the_file_describes_itself(onnx_file):
    session = open_file(onnx_file)
    texts = session.get_modelmeta().custom_metadata_map
    meta = {key: json.loads(text) for key, text in texts.items()}
    assert meta['input'] == dict(layout='NHWC', dtype='uint8', channels='BGR')
    assert meta['fitted_sizes'] == meta['training_sizes']
    assert meta['training_sizes'] == [[128, 96], [96, 72], [64, 48]]
    assert (meta['size_multiple'], meta['max_height']) == (8, 512)
    assert meta['bbox_padding'] == 1.25 and meta['use_udp'] is True
    assert meta['keypoints'][0] == 'nose' and len(meta['keypoints']) == 17
    assert meta['flip_indices'][:5] == [0, 2, 1, 4, 3]
    assert [15, 13] in meta['skeleton']  # left ankle to left knee
    images, = session.get_inputs()
    assert images.shape == ['batch', 'height', 'width', 3]


def test_heatmaps_of_normalised_images(trained, deployed, tmp_path):
    model = DeployedModel(
        load_trained_model(*trained), preprocess=False, decode=False)
    write_onnx(model, tmp_path / 'plain.onnx')
    images = noise(2, 64, 48, 3)
    # ImageNet's mean and deviation of red, green and blue.
    rgb = images[..., ::-1].astype(np.float32)
    normalised = (rgb - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    found = run_file(tmp_path / 'plain.onnx',
                     normalised.transpose(0, 3, 1, 2).astype(np.float32))
    assert list(found) == ['heatmaps']
    with torch.no_grad():
        heatmaps = deployed(torch.from_numpy(images))[-1]
    np.testing.assert_allclose(found['heatmaps'], heatmaps, atol=1e-4)
    meta = open_file(
        tmp_path / 'plain.onnx').get_modelmeta().custom_metadata_map
    described = json.loads(meta['input'])
    assert described['channels'] == 'RGB' and described['layout'] == 'NCHW'
    np.testing.assert_allclose(described['std'], [58.395, 57.12, 57.375])


def test_another_models_file_does_not_pass(onnx_file, trained):
    model = load_trained_model(*trained)
    with torch.no_grad():
        model.head.final_layer.bias[3] += 2e-4
    with pytest.raises(ConfigError, match='64x48.*differ by 2.0e-04'):
        check_onnx(DeployedModel(model), onnx_file, [(48, 64)])


def test_a_file_that_does_not_pass_is_not_left(trained, tmp_path,
                                               monkeypatch):

    def refuse(model, path, sizes):
        assert path.is_file()
        assert sizes == [(144, 192), (96, 128), (72, 96), (48, 64)]
        raise ConfigError('export', 'other results', 'none')

    monkeypatch.setattr('mmpose_raf.export.onnx_file.check_onnx', refuse)
    monkeypatch.setattr('mmpose_raf.export.onnx_file.write_onnx',
                        lambda model, path: path.write_text('anything'))
    with pytest.raises(ConfigError, match='other results'):
        export_onnx(*trained, tmp_path / 'pose.onnx')
    assert not list(tmp_path.iterdir())
