"""One set of metrics that follows many evaluations at once."""

import copy
from contextlib import contextmanager
from typing import Any, Dict, Hashable, Iterator, List, Sequence

from mmengine.evaluator import BaseMetric, Evaluator
from mmpose.evaluation.metrics import CocoMetric

# Where metrics write a file of their own: one evaluation must not overwrite
# another's.
FILE_FIELDS = ('out_file_path', 'outfile_prefix')


class ViewEvaluator:
    """Keeps the results of several evaluations in one evaluator apart.

    The metrics are built once, however large their annotations are; only the
    list of results is exchanged. Each evaluation has a key.

    Args:
        evaluator (Evaluator): Any metrics that keep what they gathered in
            ``results``, as MMEngine's ``BaseMetric`` asks for.
    """

    def __init__(self, evaluator: Evaluator):
        self.evaluator = evaluator
        self.metrics = list(_all_metrics(evaluator))
        self.results: Dict[Hashable, List[list]] = {}

    def process(self, key: Hashable, data_samples: Sequence, data_batch: Any):
        """Gather predictions of one batch, see ``Evaluator.process``."""
        with self._results_of(key):
            self.evaluator.process(data_samples, data_batch)

    def evaluate(self, key: Hashable, size: int) -> Dict[str, float]:
        """Compute the metrics of all samples gathered under a key.

        Args:
            key (Hashable): The evaluation.
            size (int): Number of its samples.
        """
        with self._results_of(key), self._files_of(key), \
                self._annotations():
            return self.evaluator.evaluate(size)

    @contextmanager
    def _results_of(self, key: Hashable) -> Iterator[None]:
        kept = self.results.setdefault(key, [[] for _ in self.metrics])
        for metric, results in zip(self.metrics, kept):
            metric.results = results
        yield

    @contextmanager
    def _annotations(self) -> Iterator[None]:
        """Keep annotations that ``CocoMetric`` converts in place."""
        converted = [(metric, metric.coco) for metric in self.metrics
                     if isinstance(metric, CocoMetric)
                     and metric.gt_converter is not None]
        for metric, coco in converted:
            metric.coco = copy.deepcopy(coco)
        try:
            yield
        finally:
            for metric, coco in converted:
                metric.coco = coco

    @contextmanager
    def _files_of(self, key: Hashable) -> Iterator[None]:
        """Put the key into the names of the files that metrics write."""
        originals = [(metric, field, getattr(metric, field))
                     for metric in self.metrics
                     for field in FILE_FIELDS if getattr(metric, field, None)]
        for metric, field, path in originals:
            stem, dot, suffix = path.rpartition('.')
            is_file = field == 'out_file_path'
            setattr(metric, field,
                    f'{stem}.{key}{dot}{suffix}' if is_file else
                    f'{path}.{key}')
        try:
            yield
        finally:
            for metric, field, path in originals:
                setattr(metric, field, path)


def judge_partly(evaluator: Evaluator):
    """Let the metrics judge a part of a dataset.

    ``CocoMetric`` counts every annotated person of its file that has no
    prediction as missed. Without the file it takes the annotations from the
    samples that it is given.
    """
    for metric in _all_metrics(evaluator):
        if isinstance(metric, CocoMetric):
            metric.coco = None


def _all_metrics(owner: Any) -> Iterator[BaseMetric]:
    """Metrics of an evaluator, or parts of a metric, at any depth."""
    parts = getattr(owner, 'metrics', ())
    for metric in parts.values() if isinstance(parts, dict) else parts:
        yield metric
        yield from _all_metrics(metric)
