"""Results of drift evaluations as tables in Markdown."""

import re
import statistics
from typing import Callable, Dict, List, Optional, Sequence

from mmpose_raf.sizes import Size, size_name
from .drift_group import DriftGroup, list_ceilings, size_order, spread_of
from .drift_result import DriftResult, ViewResult
from .metric_scale import MetricScale

TRAINED_MARK = '†'
NOTHING = '–'
SUMMARY = ('trained/mean', 'unseen/mean', 'drift')


def plain_markdown(text: str) -> str:
    """Escape what Markdown would take for markup, and line breaks."""
    return re.sub(r'([\\`*_\[\]<>|#~$&])', r'\\\1', ' '.join(text.split()))


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table, names to the left and numbers to the right.

    Args:
        head (list[str]): Title of each column, in Markdown.
        rows (list[list[str]]): Cells of each row, in Markdown.

    Returns:
        str: Lines of the table, without a line break at the end.
    """
    lines = [head, ['---'] + ['---:'] * (len(head) - 1), *rows]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def size_table(groups: Sequence[DriftGroup], scale: MetricScale) -> str:
    """Table of the key metric: a row for each group, a column for each size.

    Sizes of a group's training bear :data:`TRAINED_MARK`. In each column the
    best is bold, or all that are written like it. Ceilings come last.

    Args:
        groups (list[DriftGroup]): The runs.
        scale (MetricScale): How to write the metric.

    Returns:
        str: The table in Markdown.
    """
    is_greater = groups[0].results[0].rule == 'greater'
    sizes = sorted({size
                    for group in groups
                    for size in group.accuracy},
                   key=size_order)
    columns = [[plain_markdown(group.name) for group in groups]]
    columns += [
        _column([group.accuracy.get(size, []) for group in groups],
                [size in group.trained_sizes
                 for group in groups], scale, max if is_greater else min)
        for size in sizes
    ]
    for key in SUMMARY:
        best = max if is_greater and key != 'drift' else min
        columns.append(
            _column([group.summary.get(key, []) for group in groups],
                    [False] * len(groups), scale, best))
    columns.append([_worst_size(group) for group in groups])
    rows = list(zip(*columns))
    for name, ceiling in list_ceilings(groups).items():
        rows.append([plain_markdown(name)] +
                    [_value(ceiling.get(size), scale)
                     for size in sizes] + [NOTHING] * (len(SUMMARY) + 1))
    return markdown_table(
        ['run', *map(size_name, sizes), *SUMMARY, 'worst at'], rows)


def view_table(result: DriftResult, scale: MetricScale) -> str:
    """Table of a run's views, degraded and enlarged ones below the plain.

    Args:
        result (DriftResult): What the run gave.
        scale (MetricScale): How to write the metric.

    Returns:
        str: The table in Markdown, with the cost of each view and its
        distance to the plain view of the same input size.
    """
    # Sorting is stable: views of one size stay in their order.
    views = sorted(result.views,
                   key=lambda view:
                   (size_order(view.view.input_size), not view.view.is_plain))
    rows = [[
        plain_markdown(view.view.name.replace('-', ' ')),
        _value(view.metrics[result.key_metric], scale),
        _distance(view, result, scale), f'{view.gflops:.4g}',
        f'{view.milliseconds:.4g}'
    ] for view in views]
    return markdown_table(
        ['view', scale.label, 'against plain', 'GFLOPs', 'ms'], rows)


def client_table(result: DriftResult, scale: MetricScale) -> str:
    """Table of what each client's own view gave on its held-out part.

    Args:
        result (DriftResult): What the run gave.
        scale (MetricScale): How to write the metric.

    Returns:
        str: The table in Markdown.
    """
    rows = [[
        plain_markdown(client.name),
        plain_markdown(client.view.name.replace('-', ' ')),
        str(client.num_samples),
        _value(client.metrics.get(result.key_metric), scale)
    ] for client in result.clients]
    return markdown_table(['client', 'view', 'persons', scale.label], rows)


def _column(cells: Sequence[List[float]], is_trained: Sequence[bool],
            scale: MetricScale, best: Callable) -> List[str]:
    means = [statistics.fmean(values) if values else None for values in cells]
    # The best of a single row tells nothing.
    known = [mean for mean in means if mean is not None and mean == mean]
    top = scale.text(best(known)) if len(known) > 1 else None
    texts = []
    for mean, values, is_marked in zip(means, cells, is_trained):
        text = _value(mean, scale)
        is_best = text == top
        if len(values) > 1:
            text += f' ± {scale.text(spread_of(values))}'
        text = f'**{text}**' if is_best else text
        texts.append(
            f'{text} {TRAINED_MARK}' if values and is_marked else text)
    return texts


def _worst_size(group: DriftGroup) -> str:
    worst = min if group.results[0].rule == 'greater' else max
    return size_name(worst(group.mean, key=group.mean.__getitem__))


def _distance(view: ViewResult, result: DriftResult,
              scale: MetricScale) -> str:
    plain: Dict[Size, float] = result.accuracy
    size = view.view.input_size
    if view.view.is_plain or size not in plain:
        return NOTHING
    text = scale.text(view.metrics[result.key_metric] - plain[size])
    return text if text.startswith('-') else f'+{text}'


def _value(value: Optional[float], scale: MetricScale) -> str:
    return NOTHING if value is None else scale.text(value)
