"""What the line plots have in common: styles, size axis, legend."""

import textwrap
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmpose_raf.evaluation.metric_scale import MetricScale
from mmpose_raf.sizes import Size, size_name

# Okabe and Ito's, without black, which is left to references, and those that
# are too pale for a line on white.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
MARKERS = 'osD^vP*X<>phd'
# Dots are left to references. Their number and that of the markers have no
# common divisor, so that pairs of both repeat late.
LINES = ('-', (0, (5, 2)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))

WIDTH = 6.8
DPI = 150
# Legend: size of the font in points, height of a line in inches, width in
# characters.
LEGEND_FONT = 8.5
LEGEND_LINE = 0.19
LEGEND_CHARACTERS = 88
# Width of a title, which is centred on the axes, in characters.
TITLE_CHARACTERS = 68


def line_style(index: int) -> dict:
    """Style of the n-th line, told apart in black and white as well."""
    return dict(color=COLOURS[index % len(COLOURS)],
                marker=MARKERS[index % len(MARKERS)],
                linestyle=LINES[index % len(LINES)],
                markersize=5.5,
                linewidth=1.4)


def plain_text(text: str, width: int = LEGEND_CHARACTERS) -> str:
    """Text of a user for a picture: wrapped, and no formula.

    Args:
        text (str): A name.
        width (int): Characters of a line. Defaults to those of a legend.
    """
    lines = textwrap.wrap(text, width) or [text]
    return '\n'.join(lines).replace('$', r'\$')


def set_size_axis(axes: Axes,
                  sizes: Iterable[Size],
                  others: Sequence[Tuple[float, str]] = ()):
    """Make x a logarithmic axis of heights, with ticks named HxW.

    Args:
        axes (Axes): Where.
        sizes (set[tuple[int, int]]): Sizes (w, h) that get a tick.
        others (list[tuple[float, str]]): Places and names of further ticks.
            Defaults to ().
    """
    names: Dict[float, List[str]] = {}
    for size in sorted(set(sizes)):
        names.setdefault(size[1], []).append(size_name(size))
    for place, name in others:
        names.setdefault(place, []).append(name)
    axes.set_xscale('log')
    axes.minorticks_off()
    axes.set_xticks(list(names),
                    ['\n'.join(group) for group in names.values()],
                    rotation=45,
                    rotation_mode='anchor',
                    ha='right',
                    va='center')


def mark_trained(axes: Axes, sizes: Iterable[Size]) -> Artist:
    """Mark sizes with grey bands on a size axis; return one for the legend."""
    for height in {size[1] for size in sizes}:
        band = axes.axvspan(0.97 * height,
                            1.03 * height,
                            color='0.87',
                            linewidth=0,
                            zorder=0)
    return band


def set_percent_limits(axes: Axes):
    """Keep the margins of a y axis of percentages from going far beyond."""
    low, high = axes.get_ylim()
    margin = 0.03 * (high - low)
    axes.set_ylim(max(low, -margin), min(high, 100 + margin))


def save_curves(figure: Figure, axes: Axes, handles: Dict[str, Artist],
                scale: MetricScale, label: str, path: Path,
                note: Optional[str] = None):
    """Name the axes, add grid and legend, and write the picture.

    Args:
        figure (Figure): The figure.
        axes (Axes): Its axes, with the key metric upwards.
        handles (dict): What stands for each label of the legend.
        scale (MetricScale): How the metric is written.
        label (str): What the x axis shows.
        path (Path): Where to write the PNG.
        note (str, optional): What the y axis says beside. Defaults to None.
    """
    finish_axes(axes, scale, label, note)
    add_legend(figure, handles)
    figure.savefig(path, dpi=DPI)


def finish_axes(axes: Axes,
                scale: MetricScale,
                label: str,
                note: Optional[str] = None):
    """Name the axes, keep percentages in their limits, and add a grid.

    Args:
        axes (Axes): Axes with the metric upwards.
        scale (MetricScale): How the metric is written.
        label (str): What the x axis shows.
        note (str, optional): What the y axis says beside. Defaults to None.
    """
    if scale.is_percent:
        set_percent_limits(axes)
    axes.set_xlabel(label)
    axes.set_ylabel(f'{scale.label}, {note}' if note else scale.label)
    axes.grid(axis='y', color='0.9')
    axes.set_axisbelow(True)


def add_legend(figure: Figure, handles: Dict[str, Artist]):
    """Put a legend below the axes and make the figure taller by it.

    Args:
        figure (Figure): A figure in constrained layout.
        handles (dict): What stands for each label.
    """
    labels = [plain_text(label) for label in handles]
    longest = max(len(line) for label in labels for line in label.split('\n'))
    # The sample of the line and the gap take as much as some characters.
    columns = max(1, min(len(labels), LEGEND_CHARACTERS // (longest + 8)))
    # Columns are filled one after the other.
    num_rows = -(-len(labels) // columns)
    num_lines = num_rows + sum(label.count('\n') for label in labels)
    figure.set_figheight(figure.get_figheight() + LEGEND_LINE * num_lines)
    figure.legend(list(handles.values()),
                  labels,
                  loc='outside lower center',
                  ncols=columns,
                  fontsize=LEGEND_FONT,
                  handlelength=4)
