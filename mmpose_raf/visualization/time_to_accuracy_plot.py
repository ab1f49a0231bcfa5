"""Accuracy against simulated time or computation, as a picture."""

from pathlib import Path
from typing import Dict, Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmpose_raf.evaluation.drift_group import split_seed
from mmpose_raf.evaluation.time_to_accuracy import TimeToAccuracy
from .line_plot import (DPI, WIDTH, add_legend, finish_axes, line_style,
                        plain_text)
from .training_curves import NUM_MARKERS

# Width of a label below the whole figure, in characters.
LABEL_CHARACTERS = 60


def plot_time_to_accuracy(comparisons: Sequence[TimeToAccuracy], path: Path):
    """Plot metrics against what the runs cost, a line for each run.

    Runs that differ in nothing but the seed look alike. Each marker's place
    is a validated round; of many rounds not all have one. Dotted lines are
    the targets.

    Args:
        comparisons (list[TimeToAccuracy]): The same runs by one or more
            metrics, each of which gets a panel.
        path (Path): Where to write the PNG.
    """
    columns = min(2, len(comparisons))
    rows = -(-len(comparisons) // columns)
    figure = Figure(
        figsize=(WIDTH, 4 if rows == 1 else 2.7 * rows), layout='constrained')
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    handles: Dict[str, Artist] = {}
    for index, (comparison, axes) in enumerate(zip(comparisons, panels)):
        handles.update(_plot_lines(comparison, axes))
        # The panels of a column have one label, below the lowest.
        is_lowest = index + columns >= len(comparisons)
        label = plain_text(comparison.cost.label, LABEL_CHARACTERS // columns)
        finish_axes(axes, comparison.scale, label if is_lowest else '')
    for axes in panels[len(comparisons):]:
        axes.set_axis_off()
    add_legend(figure, handles)
    figure.savefig(path, dpi=DPI)


def _plot_lines(comparison: TimeToAccuracy, axes: Axes) -> Dict[str, Artist]:
    """Draw a metric; return what stands for each label."""
    scale = comparison.scale
    handles: Dict[str, Artist] = {}
    names = [split_seed(run.name)[0] for run in comparison.runs]
    styles = {
        name: line_style(index)
        for index, name in enumerate(dict.fromkeys(names))
    }
    for name, run in zip(names, comparison.runs):
        costs, values = zip(*run.curve(scale.metric))
        handles[name], = axes.plot(
            costs, [scale.factor * value for value in values],
            markevery=-(-len(values) // NUM_MARKERS),
            **styles[name])
    for target in comparison.targets:
        handles['target'] = axes.axhline(
            target, color='black', linestyle=':', linewidth=1)
    axes.set_xlim(left=0)
    return handles
