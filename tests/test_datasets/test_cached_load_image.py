"""Images that are decoded once, against MMPose's LoadImage."""

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from mmpose.datasets.transforms import LoadImage

from mmpose_raf.datasets import CachedLoadImage
from mmpose_raf.errors import ConfigError
from tests.shared_data import shared_data
from tests.toy import toy_pipeline

SIDE = 20


@pytest.fixture
def paths(tmp_path):
    """Three images of 1,200 bytes each."""
    rng = np.random.default_rng(0)
    files = [str(tmp_path / f'{i}.png') for i in range(3)]
    for file in files:
        cv2.imwrite(file, rng.integers(256, size=(SIDE, SIDE, 3)))
    return files


def assert_same(first, second):
    assert first.keys() == second.keys()
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key])


def test_images_are_those_of_mmpose(paths):
    cached, plain = CachedLoadImage(), LoadImage()
    for path in paths * 2:
        assert_same(cached.transform(dict(img_path=path, id=3)),
                    plain.transform(dict(img_path=path, id=3)))


def test_it_is_read_once(paths):
    cached = CachedLoadImage()
    first = cached.transform(dict(img_path=paths[0]))
    cv2.imwrite(paths[0], np.zeros((SIDE, SIDE, 3), np.uint8))
    again = cached.transform(dict(img_path=paths[0]))
    np.testing.assert_array_equal(first['img'], again['img'])


def test_memory_is_bounded(paths):
    cached = CachedLoadImage(max_megabytes=2.5e-3)
    for path in paths * 2:
        cached.transform(dict(img_path=path))
    assert list(cached.images) == paths[:2]


def test_nobody_changes_what_is_kept(paths):
    cached = CachedLoadImage()
    image = cached.transform(dict(img_path=paths[0]))['img']
    with pytest.raises(ValueError, match='read-only'):
        image[0] = 0


def test_an_image_that_is_there_is_used(paths):
    image = np.ones((4, 5, 3), np.uint8)
    results = CachedLoadImage().transform(dict(img_path=paths[0], img=image))
    assert results['img'] is image and results['img_shape'] == (4, 5)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        CachedLoadImage().transform(dict(img_path=str(tmp_path / 'no.png')))


@pytest.mark.parametrize('size', [0, -1])
def test_a_wrong_limit_is_refused(size):
    with pytest.raises(ConfigError, match='max_megabytes'):
        CachedLoadImage(max_megabytes=size)


def test_real_images_pass_through_a_pipeline():
    """All of MMPose's augmentations leave it as it is."""
    path = sorted(shared_data('coco_mini').rglob('*.jpg'))[0]
    keypoints = np.random.default_rng(0).uniform(0, 200, (1, 3, 2))
    sample = dict(img_path=str(path),
                  bbox=np.float32([[10, 10, 200, 300]]),
                  bbox_score=np.ones(1, np.float32),
                  keypoints=keypoints.astype(np.float32),
                  keypoints_visible=np.ones((1, 3), np.float32),
                  flip_indices=[1, 0, 2],
                  id=0,
                  img_id=0,
                  category_id=1,
                  raw_ann_info={})
    steps = toy_pipeline()
    outputs = []
    for kind in ('LoadImage', 'CachedLoadImage'):
        pipeline = Compose([dict(type=kind), *steps[1:]])
        np.random.seed(0)
        outputs.append(
            [pipeline(dict(sample))['inputs'].numpy() for _ in range(4)])
    np.testing.assert_array_equal(*outputs)
