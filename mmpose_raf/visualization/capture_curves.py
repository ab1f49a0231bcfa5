"""Accuracy against what the camera has seen, as a picture."""

from pathlib import Path

from matplotlib.figure import Figure

from mmpose_raf.evaluation.drift_group import size_order
from mmpose_raf.evaluation.drift_result import DriftResult
from mmpose_raf.evaluation.metric_scale import scale_of
from mmpose_raf.sizes import size_name
from .line_plot import (TITLE_CHARACTERS, WIDTH, line_style, plain_text,
                        save_curves, set_size_axis)

# Where the source image as it is stands, in heights of the largest capture
SOURCE = 1.6


def plot_capture_curves(result: DriftResult, path: Path):
    """Plot the key metric against the capture size, a line an input size.

    The lines end in the plain views, which see the source image as it is.
    Markers are filled where the model was trained at the input size.

    Args:
        result (DriftResult): A result with captured views.
        path (Path): Where to write the PNG.
    """
    scale = scale_of([result])
    captured = [
        found for found in result.views
        if found.view.capture_size and not found.view.upsample_to
    ]
    captures = {found.view.capture_size for found in captured}
    source = SOURCE * max(height for _, height in captures)
    figure = Figure(figsize=(WIDTH, 4), layout='constrained')
    axes = figure.add_subplot()
    handles = {}
    sizes = sorted({found.view.input_size
                    for found in captured},
                   key=size_order)
    for index, size in enumerate(sizes):
        points = sorted(
            (found.view.capture_size[1], found.metrics[result.key_metric])
            for found in captured if found.view.input_size == size)
        if size in result.accuracy:
            points.append((source, result.accuracy[size]))
        is_trained = size in result.trained_sizes
        label = size_name(size) + (', trained' if is_trained else ', unseen')
        handles[f'input {label}'], = axes.plot(
            [height for height, _ in points],
            [scale.factor * value for _, value in points], **line_style(index),
            **({} if is_trained else dict(markerfacecolor='white')))
    set_size_axis(axes, captures, others=[(source, 'source image')])
    axes.set_title(plain_text(result.name, TITLE_CHARACTERS), fontsize=10)
    save_curves(figure, axes, handles, scale,
                'size of the capture, height x width in pixels', path)
