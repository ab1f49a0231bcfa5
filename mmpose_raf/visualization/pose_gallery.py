"""The same people at every resolution, with what the model sees in them."""

import textwrap
from pathlib import Path
from typing import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from mmpose_raf.evaluation.drift_gallery import DriftGallery, GalleryView
from .line_plot import COLOURS, DPI

# Of all predictions, which the legend shows as well
COLOUR = COLOURS[0]
# Visible on light and on dark crops
OUTLINE = [withStroke(linewidth=1.5, foreground='black')]
TRUTH = dict(color='white', linewidth=0.6, path_effects=OUTLINE)
# More keypoints than these, as of a face, are smaller.
MANY_KEYPOINTS = 30


def draw_pose_gallery(gallery: DriftGallery,
                      trained_names: Sequence[str],
                      path: Path,
                      score_thr: float = 0.2):
    """Draw persons as rows and views as columns.

    Args:
        gallery (DriftGallery): The persons, in at least one view.
        trained_names (list[str]): Names of the views to mark as trained.
        path (Path): Where to write the PNG.
        score_thr (float): Predicted keypoints of a lower score are not
            drawn. Defaults to 0.2.
    """
    num_people = len(gallery.views[0].crops)
    aspect = max(view.crops.shape[1] / view.crops.shape[2]
                 for view in gallery.views)
    figure = Figure(figsize=(max(3.4, 1.5 * len(gallery.views)),
                             1.1 + 1.5 * aspect * num_people),
                    layout='constrained')
    grid = figure.subplots(num_people, len(gallery.views), squeeze=False)
    for column, view in enumerate(gallery.views):
        for person, axes in enumerate(grid[:, column]):
            _draw_crop(axes, view.crops[person])
            _draw_prediction(axes, view, person, gallery.skeleton, score_thr)
            _draw_truth(axes, view, person, gallery.skeleton)
        kind = 'trained' if view.name in trained_names else 'unseen'
        grid[0, column].set_title('\n'.join([*_title(view.name), kind]),
                                  fontsize=9)
    _add_legend(figure, score_thr, has_links=len(gallery.skeleton) > 0)
    figure.savefig(path, dpi=DPI)


def _draw_crop(axes: Axes, crop: np.ndarray):
    height, width = crop.shape[:2]
    # Keypoints are in parts of the crop; pixels stay visible as squares.
    axes.imshow(crop,
                extent=(0, 1, 1, 0),
                aspect=height / width,
                interpolation='nearest')
    axes.set_axis_off()
    # Keypoints outside do not make the frame larger.
    axes.autoscale(False)


def _draw_prediction(axes: Axes, view: GalleryView, person: int,
                     skeleton: np.ndarray, score_thr: float):
    points = view.predicted[person]
    is_sure = view.scores[person] >= score_thr
    for link in _links(skeleton, is_sure):
        axes.plot(*points[link].T, color=COLOUR, linewidth=3)
    axes.scatter(
        *points[is_sure].T,
        s=12 if len(points) > MANY_KEYPOINTS else 20,
        c=COLOUR,
        edgecolors='black',
        linewidths=0.4,
        zorder=3)
    if not is_sure.any():
        axes.text(0.5,
                  0.97,
                  f'no prediction:\nscores ≤ {view.scores[person].max():.2g}',
                  ha='center',
                  va='bottom',
                  fontsize=8,
                  color='white',
                  path_effects=OUTLINE)


def _draw_truth(axes: Axes, view: GalleryView, person: int,
                skeleton: np.ndarray):
    points, is_visible = view.truth[person], view.visible[person]
    for link in _links(skeleton, is_visible):
        axes.plot(*points[link].T, zorder=4, **TRUTH)
    axes.plot(*points[is_visible].T,
              linestyle='none',
              marker='.',
              markersize=1 if len(points) > MANY_KEYPOINTS else 3,
              zorder=5,
              **TRUTH)


def _links(skeleton: np.ndarray,
           is_drawn: np.ndarray) -> Iterator[np.ndarray]:
    for link in skeleton:
        if is_drawn[link].all():
            yield link


def _title(name: str) -> list:
    size, *words = name.split('-')
    return [size, *textwrap.wrap(' '.join(words), 14)]


def _add_legend(figure: Figure, score_thr: float, has_links: bool):
    line = '-' if has_links else 'none'
    figure.legend([
        Line2D([], [],
               color=COLOUR,
               linewidth=3,
               linestyle=line,
               marker='o',
               markersize=4.5),
        Line2D([], [], linestyle=line, marker='.', markersize=3, **TRUTH)
    ], [f'predicted, score ≥ {score_thr:g}', 'annotated'],
                  loc='outside lower center',
                  ncols=2,
                  fontsize=8)
