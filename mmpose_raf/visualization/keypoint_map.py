"""Accuracy of each keypoint at each resolution, as a picture."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmpose_raf.evaluation.drift_result import DriftResult
from mmpose_raf.sizes import size_name
from .line_plot import DPI, plain_text

# More rows than these get no numbers: they would be too small to read.
MOST_NUMBERED = 30
# Rises from dark to light for every kind of colour vision.
COLOURS = colormaps['cividis']
# Shares of red, green and blue in the luminance
LUMINANCE = (0.2126, 0.7152, 0.0722)


def plot_keypoint_accuracy(result: DriftResult, path: Path):
    """Draw a map of keypoints and sizes, coloured by the accuracy.

    Args:
        result (DriftResult): Its plain views are drawn.
        path (Path): Where to write the PNG.
    """
    views = result.plain_views
    # None, for a keypoint that nobody has, becomes NaN and stays grey.
    shares = np.array([view.keypoint_accuracy for view in views], float).T
    is_numbered = len(shares) <= MOST_NUMBERED
    height = max(4., 1.6 + (0.27 if is_numbered else 0.15) * len(shares))
    figure = Figure(figsize=(3.2 + 0.62 * len(views), height),
                    layout='constrained')
    axes = figure.add_subplot()
    axes.set_facecolor('0.8')
    image = axes.imshow(100 * shares,
                        cmap=COLOURS,
                        vmin=0,
                        vmax=100,
                        aspect='auto',
                        interpolation='nearest')
    if is_numbered:
        _write_numbers(axes, shares)
    axes.set_yticks(range(len(shares)),
                    [plain_text(name) for name in result.keypoint_names],
                    fontsize=9 if is_numbered else 7.5)
    labels = [
        size_name(view.view.input_size) +
        (', trained' if view.view.input_size in result.trained_sizes else '')
        for view in views
    ]
    axes.set_xticks(range(len(views)),
                    labels,
                    rotation=45,
                    rotation_mode='anchor',
                    ha='right',
                    va='center')
    axes.set_xlabel('input size, height x width in pixels')
    figure.suptitle(plain_text(result.name, 30 + 8 * len(views)), fontsize=10)
    figure.colorbar(
        image,
        ax=axes,
        aspect=4 * height,
        label=f'within {result.keypoint_threshold:g} of the longer\n'
        'side of the box, in %')
    figure.savefig(path, dpi=DPI)


def _write_numbers(axes: Axes, shares: np.ndarray):
    for (row, column), share in np.ndenumerate(shares):
        if np.isnan(share):
            text, colour = '–', 'black'
        else:
            is_dark = np.dot(COLOURS(share)[:3], LUMINANCE) < 0.45
            text = f'{100 * share:.0f}'
            colour = 'white' if is_dark else 'black'
        axes.text(column,
                  row,
                  text,
                  color=colour,
                  fontsize=8.5,
                  ha='center',
                  va='center')
