"""Resolution drift in a few numbers."""

from typing import Dict, Optional, Sequence

from mmpose_raf.errors import ConfigError
from mmpose_raf.sizes import Size

# Last part of the names of MMPose's errors; all others are accuracies.
ERRORS = ('NME', 'EPE', 'MPJPE', 'P-MPJPE', 'N-MPJPE')

# MMPose's metrics list others before these, e.g. MPII's that of the head.
USUAL = ('AP', 'PCK', 'PCKh', 'NME')


def rule_of(metric: str) -> str:
    """Whether ``'greater'`` or ``'less'`` is better, as in CheckpointHook."""
    return 'less' if metric.split('/')[-1] in ERRORS else 'greater'


def summarise_drift(accuracy: Dict[Size, float], trained_sizes: Sequence[Size],
                    rule: str) -> Dict[str, float]:
    """Summarise a metric over the input sizes.

    Args:
        accuracy (dict): The metric by input size (w, h).
        trained_sizes (list[tuple[int, int]]): Sizes seen in training; those
            that were not evaluated do not matter.
        rule (str): ``'greater'`` or ``'less'`` is better.

    Returns:
        dict: ``trained/mean``, ``trained/worst``, ``unseen/mean`` and
        ``unseen/worst`` (where there are such sizes), and ``drift``, the
        distance between the best and the worst of all sizes, >= 0.
    """
    best, worst = (max, min) if rule == 'greater' else (min, max)
    summary = {}
    for kind in ('trained', 'unseen'):
        values = [
            value for size, value in accuracy.items()
            if (size in trained_sizes) == (kind == 'trained')
        ]
        if values:
            summary[f'{kind}/mean'] = sum(values) / len(values)
            summary[f'{kind}/worst'] = worst(values)
    values = accuracy.values()
    summary['drift'] = abs(best(values) - worst(values))
    return summary


def pick_metric(metrics: Dict[str, float], wanted: Optional[str]) -> str:
    """Name of the metric that is summarised.

    The wanted one, or else what is usually reported (:data:`USUAL`), or else
    the first.

    Raises:
        ConfigError: If the metrics do not have the wanted one.
    """
    if wanted is None:
        usual = [
            name for part in USUAL for name in metrics
            if name.split('/')[-1] == part
        ]
        return usual[0] if usual else next(iter(metrics))
    if wanted not in metrics:
        raise ConfigError('key_metric', f'got {wanted!r}',
                          f'use one of {", ".join(metrics)}')
    return wanted
