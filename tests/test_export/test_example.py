"""The example that runs an ONNX file without MMPose."""

import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmpose.apis import inference_topdown
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine

from mmpose_raf.export import load_trained_model

EXAMPLE = Path(__file__).parents[2] / 'examples/onnx_pose.py'


@pytest.mark.parametrize('use_udp', [True, False])
@pytest.mark.parametrize('box', [(20, 30, 60, 150), (50, 40, 120, 40),
                                 (-10, -5, 80, 90)])
def test_the_crop_is_mmposes(box, use_udp):
    image = np.random.default_rng(0).integers(
        256, size=(200, 220, 3), dtype=np.uint8)
    x, y, w, h = box
    theirs = dict(
        img=image, bbox=np.array([[x, y, x + w, y + h]], np.float32))
    for step in (GetBBoxCenterScale(), TopdownAffine((96, 128), use_udp)):
        theirs = step(theirs)
    crop_person = runpy.run_path(str(EXAMPLE))['crop_person']
    crop, corner, extent = crop_person(
        image, box, (96, 128), dict(bbox_padding=1.25, use_udp=use_udp))
    np.testing.assert_allclose(
        extent, theirs['input_scale'].squeeze(), rtol=1e-6)
    np.testing.assert_allclose(
        corner + extent / 2, theirs['input_center'].squeeze(), rtol=1e-6)
    # The warp's matrix is rounded in other ways: some grey levels differ.
    difference = np.abs(crop.astype(int) - theirs['img'])
    assert np.quantile(difference, .99) <= 8 and difference.mean() < .5


BLOCKED = """
import runpy, sys
for name in ('torch', 'mmpose', 'mmengine', 'mmcv', 'mmpose_raf'):
    sys.modules[name] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.mark.slow
def test_keypoints_are_mmposes(onnx_file, trained, tmp_path):
    image = np.random.default_rng(0).integers(
        256, size=(200, 220, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'photo.png'), image)
    lines = subprocess.run(
        [
            sys.executable, '-c', BLOCKED, EXAMPLE, onnx_file,
            tmp_path / 'photo.png', '20', '30', '60', '150',
            tmp_path / 'out.png'
        ],
        check=True,
        capture_output=True,
        text=True).stdout.splitlines()
    assert len(lines) == 17 and lines[0].startswith('nose')
    found = np.array([line.split()[1:3] for line in lines], float)
    model = load_trained_model(*trained)
    model.test_cfg['flip_test'] = False
    theirs, = inference_topdown(
        model, image, [[20, 30, 60, 150]], bbox_format='xywh')
    distance = np.abs(found - theirs.pred_instances.keypoints[0]).max(-1)
    # Rounded; and a maximum of such noise may be flat.
    assert np.quantile(distance, .8) < 1
    drawn = cv2.imread(str(tmp_path / 'out.png'))
    assert drawn.shape == image.shape and (drawn != image).any()
