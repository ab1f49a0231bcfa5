"""MMPose's inference API with configs of this project."""

import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmpose.apis import (MMPoseInferencer, Pose2DInferencer,
                         inference_topdown, init_model)
from mmpose.registry import DATASETS

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / 'configs').glob('*.py'))


def config_at(path, size):
    """The config with crops of a size (w, h)."""
    cfg = Config.fromfile(path)
    cfg.test_dataloader.dataset.pipeline[2].input_size = size
    return cfg


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_configs_tell_what_inferencers_ask_for(path):
    cfg = Config.fromfile(path)
    for loader in (cfg.train_dataloader, cfg.val_dataloader,
                   cfg.test_dataloader):
        assert loader.dataset.type == cfg.dataset_type
        assert loader.dataset.data_mode == cfg.data_mode == 'topdown'
    assert DATASETS.get(cfg.dataset_type) is not None


@pytest.mark.parametrize('size', [(96, 128), (48, 64), (72, 96), (128, 96),
                                  (144, 192)])
def test_pose2d_inferencer_gives_what_inference_topdown_gives(
        size, trained, photo):
    inferencer = Pose2DInferencer(
        config_at(trained[0], size),
        trained[1],
        device='cpu',
        det_model='whole_image')
    found, = next(inferencer(photo))['predictions'][0]
    model = init_model(config_at(trained[0], size), trained[1], device='cpu')
    expected, = inference_topdown(model, photo)
    assert expected.metainfo['input_size'] == size
    np.testing.assert_allclose(
        found['keypoints'], expected.pred_instances.keypoints[0], atol=1e-3)
    np.testing.assert_allclose(
        found['keypoint_scores'],
        expected.pred_instances.keypoint_scores[0],
        rtol=1e-5)


def test_mmpose_inferencer_draws(trained, photo):
    inferencer = MMPoseInferencer(
        pose2d=trained[0],
        pose2d_weights=trained[1],
        device='cpu',
        det_model='whole_image')
    result = next(inferencer(photo, return_vis=True))
    drawn, photo = result['visualization'][0], cv2.imread(photo)[..., ::-1]
    assert drawn.shape == photo.shape and (drawn != photo).any()
    assert len(result['predictions'][0][0]['keypoints']) == 17


def test_the_example(trained, photo, tmp_path, monkeypatch, capsys):
    out = str(tmp_path / 'out.png')
    monkeypatch.setattr(sys, 'argv', [
        'image_pose.py', *trained, photo, out, '--box', '20', '30', '60',
        '150', '--size', '96x72'
    ])
    runpy.run_path(str(ROOT / 'examples/image_pose.py'), run_name='__main__')
    lines = capsys.readouterr().out.splitlines()[-17:]
    model = init_model(
        config_at(trained[0], (72, 96)), trained[1], device='cpu')
    expected, = inference_topdown(model, photo, [[20, 30, 80, 180]])
    np.testing.assert_allclose(
        [list(map(float,
                  line.split()[1:3])) for line in lines],
        expected.pred_instances.keypoints[0],
        atol=.06)
    assert (cv2.imread(out) != cv2.imread(photo)).any()
