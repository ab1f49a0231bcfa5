"""Drift results, a gallery and a training log that are made by hand."""

import json

import numpy as np

from mmpose_raf.evaluation.drift_gallery import DriftGallery, GalleryView
from mmpose_raf.evaluation.drift_result import DriftResult, ViewResult
from mmpose_raf.evaluation.view import View

LOW, MIDDLE, HIGH = (48, 64), (72, 96), (96, 128)


def view_result(view, value, ceiling=None, metric='PCK', keypoints=(1., )):
    """A view with a cost that follows from its size."""
    width, height = view.model_size
    return ViewResult(view, {metric: value},
                      {} if ceiling is None else {metric: ceiling},
                      list(keypoints),
                      gflops=width * height / 1000,
                      milliseconds=width * height / 2000)


def make_result(name, accuracy, ceiling=(), others=(), **options):
    """A result of plain views, by size, and of other views, by view."""
    metric = options.get('key_metric', 'PCK')
    names = options.get('keypoint_names', ['nose'])
    shares = options.pop('keypoints', [1.] * len(names))
    views = [
        view_result(View(size), value,
                    dict(ceiling).get(size), metric, shares)
        for size, value in accuracy.items()
    ]
    views += [
        view_result(view, value, None, metric, shares)
        for view, value in dict(others).items()
    ]
    settings = dict(dataset='people',
                    num_samples=12,
                    fingerprint='f00d',
                    key_metric='PCK',
                    rule='greater',
                    trained_sizes=[LOW, HIGH],
                    input_sizes=list(accuracy),
                    keypoint_names=names,
                    keypoint_threshold=0.3,
                    hardware='a CPU')
    return DriftResult(name, views=views, **dict(settings, **options))


def make_gallery(views, num_people=2, num_keypoints=4):
    """Noise with a prediction near the annotation, the same in each view."""
    random = np.random.default_rng(0)
    truth = random.uniform(.1, .9, (num_people, num_keypoints, 2))
    return DriftGallery([
        GalleryView(
            view.name,
            random.integers(
                0, 256, (num_people, *view.model_size[::-1], 3)).astype(
                    np.uint8), truth + random.normal(0, .05, truth.shape),
            np.ones(truth.shape[:2]), truth, np.ones(truth.shape[:2], bool))
        for view in views
    ], np.array([(0, 1), (1, 2)]))


def write_log(work_dir, time, lines):
    """What MMEngine's backend writes in a run that starts at a time."""
    folder = work_dir / time / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(''.join(
        json.dumps(line) + '\n' for line in lines))
