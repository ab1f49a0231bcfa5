"""Accuracy against resolution, as a picture."""

from pathlib import Path
from typing import Dict, Optional, Sequence, Tuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmpose_raf.evaluation.drift_group import (DriftGroup, group_by_name,
                                               list_ceilings, size_order)
from mmpose_raf.evaluation.drift_result import DriftResult
from mmpose_raf.evaluation.metric_scale import MetricScale, scale_of
from .line_plot import (WIDTH, line_style, mark_trained, save_curves,
                        set_size_axis)

# How many times the range of the trained sizes the whole range must be for a
# close-up, and the room around it in parts of the former.
CLOSE_UP_FROM = 2.5
MARGIN = 0.15


def plot_resolution_curve(results: Sequence[DriftResult], path: Path):
    """Plot the key metric of the plain views against the input size.

    Runs that differ in a suffix ``-seed<digits>`` only are one line, with
    bars of one standard deviation. Markers are filled at the sizes of the
    run's training; grey bands mark the sizes at which any run was trained.
    Where other sizes or the ceiling stretch the axis, a second panel shows
    the trained sizes closer up.

    Args:
        results (list[DriftResult]): Results of one key metric, at least one.
        path (Path): Where to write the PNG.
    """
    scale = scale_of(results)
    groups = group_by_name(results)
    limits = _close_up(groups, scale)
    figure = Figure(figsize=(WIDTH, 5.6 if limits else 4),
                    layout='constrained')
    panels = figure.subplots(2 if limits else 1, sharex=True,
                             squeeze=False)[:, 0]
    for axes in panels:
        handles = _draw_all(axes, groups, scale)
    if limits:
        panels[0].set_ylabel(scale.label)
        panels[0].grid(axis='y', color='0.9')
        panels[-1].set_ylim(limits)
    save_curves(figure,
                panels[-1],
                handles,
                scale,
                'input size, height x width in pixels',
                path,
                note='close-up' if limits else None)


def _close_up(groups: Sequence[DriftGroup],
              scale: MetricScale) -> Optional[Tuple[float, float]]:
    """Limits of the metric around the trained sizes, if they are hard to see
    beside the others and the ceiling."""
    trained = {size for group in groups for size in group.trained_sizes}
    near = [
        scale.factor * value for group in groups
        for size, value in group.mean.items() if size in trained
    ]
    if not near:
        return None
    others = [value for group in groups for value in group.mean.values()]
    for ceiling in list_ceilings(groups).values():
        others += ceiling.values()
    span = max(near) - min(near)
    whole = scale.factor * (max(others) - min(others))
    if span == 0 or whole < CLOSE_UP_FROM * span:
        return None
    return min(near) - MARGIN * span, max(near) + MARGIN * span


def _draw_all(axes: Axes, groups: Sequence[DriftGroup],
              scale: MetricScale) -> Dict[str, Artist]:
    """Draw runs, ceilings and bands; return what the legend shows."""
    handles = {
        group.name: _draw_group(axes, group, scale, line_style(index))
        for index, group in enumerate(groups)
    }
    handles.update(_draw_ceilings(axes, groups, scale))
    sizes = {size for group in groups for size in group.mean}
    trained = {size for group in groups for size in group.trained_sizes}
    if sizes & trained:
        handles['trained size'] = mark_trained(axes, sizes & trained)
    set_size_axis(axes, sizes)
    return handles


def _draw_group(axes: Axes, group: DriftGroup, scale: MetricScale,
                style: dict) -> Artist:
    mean, spread = group.mean, group.spread
    line, = axes.plot([size[1] for size in mean],
                      [scale.factor * value for value in mean.values()],
                      markerfacecolor='white',
                      **style)
    trained = [size for size in mean if size in group.trained_sizes]
    # The same marker, filled, on top of the line's own
    axes.plot([size[1] for size in trained],
              [scale.factor * mean[size] for size in trained],
              **dict(style, linestyle='none'))
    repeated = [size for size in mean if spread[size] is not None]
    axes.errorbar([size[1] for size in repeated],
                  [scale.factor * mean[size] for size in repeated],
                  yerr=[scale.factor * spread[size] for size in repeated],
                  fmt='none',
                  ecolor=style['color'],
                  elinewidth=1,
                  capsize=3)
    return line


def _draw_ceilings(axes: Axes, groups: Sequence[DriftGroup],
                   scale: MetricScale) -> Dict[str, Artist]:
    handles = {}
    for name, ceiling in list_ceilings(groups).items():
        sizes = sorted(ceiling, key=size_order)
        handles[name], = axes.plot(
            [size[1] for size in sizes],
            [scale.factor * ceiling[size] for size in sizes],
            color='black',
            linestyle=':',
            linewidth=1)
    return handles
