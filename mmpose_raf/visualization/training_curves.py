"""What the clients logged over the rounds, as a picture."""

from pathlib import Path
from typing import Dict

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.training_log import FEATURES, Curves
from .line_plot import DPI, WIDTH, add_legend, line_style

# Axis label of each quantity of the clients
PANELS = dict(loss='loss, mean of the round',
              update_norm='L2 norm of the update',
              update_cosine='mean cosine with the\nothers\' updates')
MOVEMENT_LABEL = 'relative movement of the\nbackbone\'s features'
# Label and style of each quantity of the features
MOVEMENTS = dict(moved=('features, since the last point',
                        dict(marker='o', linestyle=':')),
                 from_start=('features, since the start',
                             dict(marker='s', linestyle='--')))
# Markers on a line of many rounds
NUM_MARKERS = 12


def plot_training_curves(curves: Curves, path: Path):
    """Plot what was logged over the rounds, a panel for each quantity.

    Args:
        curves (dict): What :func:`read_training_log` has read: for each
            client ``loss`` and, where they were logged, ``update_norm`` and
            ``update_cosine``; for ``'features'`` ``moved`` and
            ``from_start``.
        path (Path): Where to write the PNG.

    Raises:
        ConfigError: If none of these was logged.
    """
    clients = {
        name: quantities
        for name, quantities in curves.items() if name != FEATURES
    }
    panels = [
        key for key in PANELS
        if any(key in quantities for quantities in clients.values())
    ]
    features = curves.get(FEATURES, {})
    movements = [key for key in MOVEMENTS if key in features]
    num_panels = len(panels) + bool(movements)
    if not num_panels:
        raise ConfigError('training log', 'it holds no losses of clients',
                          'give the log of a federated training')
    figure = Figure(figsize=(WIDTH, 0.7 + 2 * num_panels),
                    layout='constrained')
    grid = figure.subplots(num_panels, sharex=True, squeeze=False)[:, 0]
    handles: Dict[str, Artist] = {}
    for key, axes in zip(panels, grid):
        axes.set_ylabel(PANELS[key])
        for index, (name, quantities) in enumerate(clients.items()):
            if key in quantities:
                line = _draw(axes, quantities[key], line_style(index))
                handles.setdefault(name, line)
    for key in movements:
        grid[-1].set_ylabel(MOVEMENT_LABEL)
        label, style = MOVEMENTS[key]
        handles[label] = _draw(grid[-1], features[key],
                               dict(style, color='black', markersize=5))
    for axes in grid:
        axes.grid(color='0.9')
        axes.set_axisbelow(True)
    grid[-1].set_xlabel('round')
    grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.align_ylabels(grid)
    add_legend(figure, handles)
    figure.savefig(path, dpi=DPI)


def _draw(axes: Axes, points: list, style: dict) -> Artist:
    line, = axes.plot(*zip(*points), **style)
    line.set_markevery(-(-len(points) // NUM_MARKERS))
    return line
