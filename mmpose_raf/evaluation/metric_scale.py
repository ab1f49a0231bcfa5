"""How the values of a metric are written for people."""

from dataclasses import dataclass
from typing import Sequence

from .drift_result import DriftResult


@dataclass(frozen=True)
class MetricScale:
    """From the values of a metric to the numbers of tables and pictures.

    Args:
        metric (str): Name of the metric.
        factor (int): What its values are multiplied with.
        is_percent (bool): Whether the products are percentages.
    """

    metric: str
    factor: int
    is_percent: bool

    @property
    def label(self) -> str:
        """str: Name of the metric with its unit."""
        if self.is_percent:
            return f'{self.metric} in %'
        return f'{self.metric}, less is better'

    def text(self, value: float) -> str:
        """Write a value, or a distance between two, as a number."""
        value *= self.factor
        return f'{value:.1f}' if self.is_percent else f'{value:.4g}'


def scale_of(results: Sequence[DriftResult]) -> MetricScale:
    """How to write the key metric of some results.

    Args:
        results (list[DriftResult]): Results of one key metric, at least one.

    Returns:
        MetricScale: Accuracies as percentages, errors as they are.
    """
    first = results[0]
    values = [
        metrics[first.key_metric] for result in results
        for view in result.views for metrics in (view.metrics, view.ceiling)
        if metrics
    ]
    return scale_of_values(first.key_metric, first.rule, values)


def scale_of_values(metric: str, rule: str,
                    values: Sequence[float]) -> MetricScale:
    """How to write some values of a metric.

    Args:
        metric (str): Name of the metric.
        rule (str): ``'greater'`` or ``'less'``, what is better.
        values (list[float]): All that will be written.

    Returns:
        MetricScale: Accuracies as percentages, errors as they are.
    """
    if rule == 'less':
        return MetricScale(metric, 1, is_percent=False)
    # Some of MMPose's metrics are percentages already, such as MPII's PCK.
    # A NaN decides nothing: it is not greater than 1.
    is_share = all(not value > 1 for value in values)
    return MetricScale(metric, 100 if is_share else 1, is_percent=True)
