"""The same people at every resolution, with what the model sees in them."""

from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmengine.structures import BaseDataElement

Size = Tuple[int, int]


def draw_pose_gallery(columns: Dict[Size, Tuple[list,
                                                List[BaseDataElement]]],
                      dataset_meta: dict,
                      trained_sizes: Sequence[Size],
                      path: Path,
                      score_thr: float = 0.2):
    """Draw crops with predicted keypoints and skeleton.

    Args:
        columns (dict): For each input size (w, h) the crops, uint8 in shape
            (3, h, w) and BGR, and the data samples with predictions of the
            same people.
        dataset_meta (dict): Meta information with the skeleton and its
            colours.
        trained_sizes (list[tuple[int, int]]): Sizes to mark as trained.
        path (Path): Where to write the PNG.
        score_thr (float): Keypoints of a lower score are not drawn. Defaults
            to 0.2.
    """
    sizes = sorted(columns)
    num_people = len(columns[sizes[0]][0])
    figure = Figure(
        figsize=(1.6 * len(sizes), 2.15 * num_people), layout='constrained')
    grid = figure.subplots(num_people, len(sizes), squeeze=False)
    for column, size in enumerate(sizes):
        for row, (crop, sample) in enumerate(zip(*columns[size])):
            axes = grid[row, column]
            _draw_crop(axes, crop.permute(1, 2, 0).numpy()[..., ::-1])
            _draw_pose(axes, sample, dataset_meta, score_thr)
        kind = 'trained' if size in trained_sizes else 'unseen'
        grid[0, column].set_title(f'{size[1]}x{size[0]}\n{kind}', fontsize=9)
    figure.savefig(path, dpi=130)


def _draw_crop(axes: Axes, image: np.ndarray):
    height, width = image.shape[:2]
    # The frame is the same at every size; pixels stay visible as squares.
    axes.imshow(image, extent=(0, 1, height / width, 0))
    axes.set_axis_off()


def _draw_pose(axes: Axes, sample: BaseDataElement, meta: dict,
               score_thr: float):
    predicted = sample.pred_instances
    origin = sample.input_center - 0.5 * sample.input_scale
    keypoints = (predicted.keypoints[0] - origin) / sample.input_scale[0]
    is_sure = predicted.keypoint_scores[0] >= score_thr
    colours = meta['skeleton_link_colors'] / 255
    for (start, end), colour in zip(meta['skeleton_links'], colours):
        if is_sure[start] and is_sure[end]:
            axes.plot(*keypoints[[start, end]].T, color=colour, linewidth=1.6)
    axes.scatter(
        *keypoints[is_sure].T,
        s=7,
        c=meta['keypoint_colors'][is_sure] / 255,
        edgecolors='black',
        linewidths=0.4,
        zorder=3)
