"""Results of drift evaluations as files for other programs."""

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Dict, Iterator, Sequence

from mmpose_raf.sizes import size_name
from .drift_group import split_seed
from .drift_result import FORMAT, DriftResult

COLUMNS = ('run', 'seed', 'view', 'input_height', 'input_width', 'capture',
           'upsample', 'kind', 'metric', 'value', 'trained', 'gflops', 'ms')


def write_csv(results: Sequence[DriftResult], path: Path):
    """Write a row for each metric of each view, in long form.

    ``run`` is the name without its seed; ``capture`` and ``upsample`` are
    sizes as HxW or empty; ``kind`` is ``model`` or ``ceiling``; ``trained``
    tells whether the model was trained at the size that it gets. A ceiling
    has no cost.

    Args:
        results (list[DriftResult]): What the runs gave.
        path (Path): Where to write.
    """
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
        writer.writeheader()
        for result in results:
            writer.writerows(_rows(result))


def write_json(results: Sequence[DriftResult], path: Path):
    """Write a list of the results, each as in its own file.

    Args:
        results (list[DriftResult]): What the runs gave.
        path (Path): Where to write.
    """
    trees = [
        dict(asdict(result), format=FORMAT, summary=result.summary)
        for result in results
    ]
    path.write_text(json.dumps(trees, indent=2) + '\n')


def _rows(result: DriftResult) -> Iterator[Dict[str, object]]:
    run, seed = split_seed(result.name)
    for found in result.views:
        view = found.view
        width, height = view.input_size
        is_trained = view.model_size in result.trained_sizes
        shown = dict(run=run,
                     seed=seed,
                     view=view.name,
                     input_height=height,
                     input_width=width,
                     capture=view.capture_size
                     and size_name(view.capture_size),
                     upsample=view.upsample_to and size_name(view.upsample_to),
                     trained='true' if is_trained else 'false')
        for metric, value in found.metrics.items():
            yield dict(shown,
                       kind='model',
                       metric=metric,
                       value=value,
                       gflops=found.gflops,
                       ms=found.milliseconds)
        for metric, value in found.ceiling.items():
            yield dict(shown, kind='ceiling', metric=metric, value=value)
