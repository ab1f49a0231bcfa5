"""Accuracy against resolution, as a picture."""

from pathlib import Path
from typing import Dict, Sequence, Tuple

from matplotlib.figure import Figure

Size = Tuple[int, int]
# Told apart in black and white as well.
MARKERS = 'osD^v*PX'


def plot_resolution_curve(runs: Dict[str, Dict[Size, float]],
                          trained_sizes: Sequence[Size], metric: str,
                          path: Path):
    """Plot the accuracy of runs against the input size.

    Args:
        runs (dict): For each run its accuracy in [0, 1] by input size
            (w, h).
        trained_sizes (list[tuple[int, int]]): Sizes to mark as trained.
        metric (str): Name of the accuracy, for the axis.
        path (Path): Where to write the PNG.
    """
    figure = Figure(figsize=(6.4, 4), layout='constrained')
    axes = figure.add_subplot()
    for (name, accuracy), marker in zip(runs.items(), MARKERS * len(runs)):
        sizes = sorted(accuracy)
        axes.plot([size[1] for size in sizes],
                  [100 * accuracy[size] for size in sizes],
                  marker=marker,
                  label=name)
    sizes = sorted({size for accuracy in runs.values() for size in accuracy})
    for index, size in enumerate(trained_sizes):
        axes.axvline(
            size[1],
            color='0.8',
            zorder=0,
            linewidth=6,
            label=None if index else 'trained size')
    axes.set_xscale('log')
    axes.set_xticks([size[1] for size in sizes],
                    [f'{height}x{width}' for width, height in sizes],
                    rotation=30)
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel('input size, height x width in pixels')
    axes.set_ylabel(f'{metric} in %')
    axes.grid(axis='y', color='0.9')
    axes.legend()
    figure.savefig(path, dpi=150)
