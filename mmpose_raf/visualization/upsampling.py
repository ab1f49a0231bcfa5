"""Small crops as they are against the same crops enlarged, as a picture."""

from pathlib import Path

from matplotlib.figure import Figure

from mmpose_raf.evaluation.drift_group import size_order
from mmpose_raf.evaluation.drift_result import DriftResult
from mmpose_raf.evaluation.metric_scale import scale_of
from mmpose_raf.sizes import size_name
from .line_plot import (TITLE_CHARACTERS, WIDTH, line_style, plain_text,
                        save_curves, set_size_axis)


def plot_upsampling(result: DriftResult, path: Path):
    """Plot the key metric of plain and of enlarged crops as pairs.

    Args:
        result (DriftResult): A result with upsampled views.
        path (Path): Where to write the PNG.
    """
    scale = scale_of([result])
    enlarged = [
        found for found in result.views
        if found.view.upsample_to and not found.view.capture_size
    ]
    sizes = sorted({found.view.input_size
                    for found in enlarged},
                   key=size_order)
    plain = {
        size: scale.factor * value
        for size, value in result.accuracy.items() if size in sizes
    }
    figure = Figure(figsize=(WIDTH, 3.8), layout='constrained')
    axes = figure.add_subplot()
    handles = {}
    # No lines along the sizes: the pairs are to be compared. The markers
    # differ in size, so that both of two equal values are visible.
    handles['crop as it is'], = axes.plot([size[1] for size in plain],
                                          list(plain.values()),
                                          **dict(line_style(0),
                                                 linestyle='none',
                                                 markersize=10,
                                                 markerfacecolor='white'))
    targets = sorted({found.view.upsample_to
                      for found in enlarged},
                     key=size_order)
    for index, target in enumerate(targets, start=1):
        values = {
            found.view.input_size:
            scale.factor * found.metrics[result.key_metric]
            for found in enlarged if found.view.upsample_to == target
        }
        for size in values.keys() & plain.keys():
            axes.plot([size[1]] * 2, [plain[size], values[size]],
                      color='0.6',
                      linewidth=1.2,
                      zorder=1)
        name = f'enlarged to {size_name(target)} before the model'
        handles[name], = axes.plot([size[1] for size in values],
                                   list(values.values()),
                                   **dict(line_style(index),
                                          linestyle='none',
                                          markersize=5))
    set_size_axis(axes, sizes)
    axes.margins(x=0.1)
    axes.set_title(plain_text(result.name, TITLE_CHARACTERS), fontsize=10)
    save_curves(figure, axes, handles, scale,
                'size of the crop, height x width in pixels', path)
