"""pycocotools in the place of xtcocotools: equal results."""

import copy
import importlib
import json
import subprocess
import sys

import numpy as np
import pytest

from mmpose_raf_compat import coco_api, xtcocotools
from tests.shared_data import shared_data

SIGMAS = np.linspace(0.03, 0.12, 17)


def broken(name):
    return pytest.param(
        {
            'xtcocotools/__init__.py': '',
            'xtcocotools/_mask.py': name,
            'xtcocotools/coco.py': 'import xtcocotools._mask',
        },
        id=name)


@pytest.mark.parametrize('files', [
    broken('raise ValueError("numpy.dtype size changed")'),
    broken('raise ImportError("numpy.core.multiarray failed to import")'),
])
def test_broken(site, files):
    site(files)
    xtcocotools.close()
    check_stand_in()


def test_missing(without):
    without('xtcocotools')
    xtcocotools.close()
    check_stand_in()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module('xtcocotools.other')


def check_stand_in():
    from xtcocotools.coco import COCO
    from xtcocotools.cocoeval import COCOeval
    from xtcocotools.mask import decode, frPyObjects, merge
    assert (COCO, COCOeval) == (coco_api.COCO, coco_api.COCOeval)
    square = [[1., 1., 4., 1., 4., 4., 1., 4.]]
    assert decode(merge(frPyObjects(square, 6, 6))).sum() == 9


def test_works(site):
    site({
        'xtcocotools/__init__.py': '',
        'xtcocotools/_mask.py': '',
        'xtcocotools/coco.py': 'COCO = "real"',
    })
    xtcocotools.close()
    from xtcocotools.coco import COCO
    assert COCO == 'real'


@pytest.mark.parametrize('iou_type', ['keypoints_crowd', 'keypoints_foot'])
def test_other_keypoints(iou_type):
    with pytest.raises(ImportError, match=f"'{iou_type}' needs xtcocotools"):
        coco_api.COCOeval(iouType=iou_type)


@pytest.fixture(scope='module')
def annotations():
    """coco_mini, with what pycocotools and xtcocotools judge differently."""
    path = shared_data('coco_mini') / 'annotations'
    data = json.loads((path / 'person_keypoints_val2017.json').read_text())
    for number, annotation in enumerate(data['annotations']):
        annotation['id'] = number  # 0 is one of them
    persons = [a for a in data['annotations'] if sum(a['keypoints'][2::3])]
    persons[1]['num_keypoints'] = 0  # though some are visible
    del persons[2]['num_keypoints']
    return data


def detections(data, spread, seed):
    """Each person's keypoints, moved by chance; some without any."""
    rng = np.random.default_rng(seed)
    found = []
    for annotation in data['annotations']:
        points = np.array(annotation['keypoints'], float).reshape(-1, 3)
        scale = np.sqrt(annotation['area'])
        points[:, :2] += rng.normal(0, spread * scale, (len(points), 2))
        points[:, 2] = rng.uniform(0.1, 1, len(points))
        if rng.random() < 0.1:
            points[:, 2] = 0
        found.append(
            dict(image_id=annotation['image_id'],
                 category_id=annotation['category_id'],
                 keypoints=points.ravel().tolist(),
                 score=float(rng.random())))
    return found


def statistics(coco, coco_eval, files, **options):
    ground_truth = coco(str(files[0]))
    evaluation = coco_eval(ground_truth, ground_truth.loadRes(str(files[1])),
                           'keypoints', **options)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize('spread', [0., 0.03, 0.1, 0.3])
@pytest.mark.parametrize('options', [
    dict(),
    dict(sigmas=SIGMAS),
    dict(use_area=False),
    dict(sigmas=SIGMAS, use_area=False),
])
def test_equal_to_xtcocotools(annotations, tmp_path, spread, options):
    real = pytest.importorskip('xtcocotools.cocoeval')
    if real.COCOeval is coco_api.COCOeval:
        pytest.skip('xtcocotools is not installed')
    from xtcocotools.coco import COCO
    data = copy.deepcopy(annotations)
    if 'use_area' in options:
        for annotation in data['annotations'][::2]:
            annotation['area'] = 1.  # nonsense that must not be read
    files = tmp_path / 'truth.json', tmp_path / 'found.json'
    files[0].write_text(json.dumps(data))
    files[1].write_text(json.dumps(detections(annotations, spread, seed=3)))
    expected = statistics(COCO, real.COCOeval, files, **options)
    found = statistics(coco_api.COCO, coco_api.COCOeval, files, **options)
    assert np.abs(found - expected).max() < 1e-6
    if spread == 0.1:  # neither perfect nor nothing
        assert 0.05 < expected[0] < 0.95


METRIC = '''
import json, sys
from pathlib import Path
if sys.argv[1] == 'pycocotools':
    # As where there is no wheel of it.
    from mmpose_raf_compat import finders
    real = finders.find_behind
    finders.find_behind = (lambda finder, name, *args: None
                           if name == 'xtcocotools' else
                           real(finder, name, *args))
import mmpose_raf
import numpy as np
import xtcocotools.cocoeval
from mmengine.registry import init_default_scope
from mmpose.evaluation.metrics import CocoMetric
from mmpose.datasets.datasets.utils import parse_pose_metainfo

ann_file, results, sigmas = Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
init_default_scope('mmpose')
meta = parse_pose_metainfo(
    dict(from_file='configs/_base_/datasets/coco.py'))
if sigmas == 'own':
    meta['sigmas'] = np.linspace(0.03, 0.12, 17)
metric = CocoMetric(str(ann_file), nms_mode='none')
metric.dataset_meta = meta
truth = {(a['image_id'], a['id']): a for a in
         json.loads(ann_file.read_text())['annotations']}
for found, annotation in zip(json.loads(results.read_text()),
                             truth.values()):
    points = np.array(found['keypoints']).reshape(1, -1, 3)
    x, y, w, h = annotation['bbox']
    metric.process([{}], [dict(
        id=annotation['id'], img_id=found['image_id'],
        category_id=found['category_id'],
        pred_instances=dict(keypoints=points[..., :2],
                            keypoint_scores=points[..., 2],
                            bbox_scores=np.array([found['score']])),
        gt_instances=dict(
            bboxes=np.array([[x, y, x + w, y + h]]),
            bbox_scales=np.array([[w, h]]),
            bbox_scores=np.array([1.])))])
values = metric.evaluate(len(truth))
print(json.dumps(dict(module=xtcocotools.cocoeval.COCOeval.__module__,
                      values=values)))
'''


@pytest.mark.slow
@pytest.mark.parametrize('sigmas', ['coco', 'own'])
def test_metric_of_mmpose(annotations, tmp_path, sigmas):
    """CocoMetric on either library, in a process each."""
    files = tmp_path / 'truth.json', tmp_path / 'found.json'
    files[0].write_text(json.dumps(annotations))
    files[1].write_text(json.dumps(detections(annotations, 0.05, seed=4)))

    def run(library):
        printed = subprocess.run(
            [sys.executable, '-c', METRIC, library, *map(str, files), sigmas],
            capture_output=True,
            text=True,
            check=True).stdout
        return json.loads(printed.splitlines()[-1])

    found = run('pycocotools')
    assert found['module'] == 'mmpose_raf_compat.coco_api'
    expected = run('xtcocotools')
    if expected['module'] != 'xtcocotools.cocoeval':
        pytest.skip('xtcocotools is not installed')
    assert 0.1 < expected['values']['coco/AP'] < 0.99
    assert found['values'] == pytest.approx(expected['values'], abs=1e-6)
