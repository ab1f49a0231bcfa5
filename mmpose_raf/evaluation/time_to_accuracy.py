"""How long, or at what cost, federated runs become as good as wanted."""

import math
import operator
from dataclasses import dataclass
from pathlib import Path
from typing import (Callable, Dict, List, NamedTuple, Optional, Sequence,
                    Tuple)

from mmpose_raf.errors import ConfigError
from .drift_summary import pick_metric, rule_of
from .drift_tables import markdown_table, plain_markdown
from .metric_scale import MetricScale, scale_of_values
from .training_log import (CLOCK, MEGAPIXELS, find_logs, read_total,
                           read_validations)

# Last part of the names under which validations at many sizes sum up.
SUMMARIES = ('mean', 'worst')


class Cost(NamedTuple):
    """What the rounds of a run are measured by.

    Attributes:
        key (str): What the run has logged, since its start.
        unit (str): Its unit, in the plural.
        kind (str): What goes before the unit where it stands alone.
        label (str): What an axis of a picture says.
        missing (str): What is wrong with a run that has not logged it.
        fix (str): What to do about that.
    """

    key: str
    unit: str
    kind: str
    label: str
    missing: str
    fix: str


COSTS = dict(
    time=Cost(CLOCK, 'seconds', 'simulated',
              'simulated time since the start in seconds',
              'its rounds have no simulated clock',
              'give the clients samples_per_second'),
    computation=Cost(MEGAPIXELS, 'megapixels', 'trained',
                     'megapixels through the backbone in training',
                     'its rounds have no count of pixels',
                     "add dict(type='ComputationHook') to custom_hooks"))


@dataclass
class TimedRun:
    """A federated run whose rounds have a cost.

    Args:
        name (str): Its name.
        clock (dict): What all rounds had cost at the end of each, by rising
            round; at least one.
        validations (dict): Metrics by their names, by rising round; rounds
            that are on the clock, at least one.
        cost (Cost): What the clock measures. Defaults to simulated seconds.
    """

    name: str
    clock: Dict[int, float]
    validations: Dict[int, Dict[str, float]]
    cost: Cost = COSTS['time']

    @property
    def rounds(self) -> int:
        """int: How many rounds it has run."""
        return max(self.clock)

    @property
    def total(self) -> float:
        """float: The cost of all its rounds."""
        return self.clock[self.rounds]

    @property
    def metrics(self) -> List[str]:
        """list[str]: Metrics that were logged."""
        return list(
            dict.fromkeys(name for metrics in self.validations.values()
                          for name in metrics))

    def curve(self, metric: str) -> List[Tuple[float, float]]:
        """A metric after each validated round, as (cost, value)."""
        return [(self.clock[round_], metrics[metric])
                for round_, metrics in self.validations.items()
                if metric in metrics]

    @classmethod
    def read(cls, work_dir: Path, name: str, cost: Cost) -> 'TimedRun':
        """Read a run from its work dir.

        Raises:
            ConfigError: If it is none, or has not logged its cost or no
                validations.
        """
        if not find_logs(work_dir):
            raise ConfigError(str(work_dir),
                              'it holds no <time>/vis_data/scalars.json',
                              'give the work dir of a federated run')
        clock = read_total(work_dir, cost.key)
        if not clock:
            raise ConfigError(str(work_dir), cost.missing, cost.fix)
        validations = {
            round_: metrics
            for round_, metrics in read_validations(work_dir).items()
            if round_ in clock
        }
        if not validations:
            raise ConfigError(str(work_dir), 'no round was validated',
                              'train with a lower train_cfg.val_interval')
        return cls(name, clock, validations, cost)


@dataclass
class TimeToAccuracy:
    """What is told of one metric of some runs.

    Args:
        runs (list[TimedRun]): The runs, at least one; all have the metric.
        scale (MetricScale): How the metric is written.
        rule (str): ``'greater'`` or ``'less'`` is better.
        targets (list[float]): Values to reach, in the unit of ``scale``.
    """

    runs: List[TimedRun]
    scale: MetricScale
    rule: str
    targets: List[float]

    def best(self, run: TimedRun) -> float:
        """The best value of a run, as it was logged."""
        best = max if self.rule == 'greater' else min
        values = [value for _, value in run.curve(self.scale.metric)]
        return best([value for value in values if not math.isnan(value)],
                    default=math.nan)

    @property
    def cost(self) -> Cost:
        """Cost: What the runs are measured by."""
        return self.runs[0].cost

    def cost_to(self, run: TimedRun, target: float) -> Optional[float]:
        """What it cost a run to be first seen at a target.

        Args:
            run (TimedRun): The run.
            target (float): In the unit of the scale.

        Returns:
            float: The end of the first validated round that was at least as
            good; None if there is none.
        """
        # Not value * factor: as floats, 100 * 0.57 is less than 57.
        limit = target / self.scale.factor
        reaches = operator.ge if self.rule == 'greater' else operator.le
        return next((cost for cost, value in run.curve(self.scale.metric)
                     if reaches(value, limit)), None)

    def table(self) -> str:
        """Lay out a table in Markdown, a row for each run."""
        unit = ' %' if self.scale.is_percent else ''
        head = [
            'run', 'rounds', f'{self.cost.kind} {self.cost.unit}',
            f'best {plain_markdown(self.scale.label)}',
            *(f'{self.cost.unit} to {target:g}{unit}'
              for target in self.targets)
        ]
        rows = [[
            plain_markdown(run.name),
            str(run.rounds), f'{run.total:.1f}',
            self.scale.text(self.best(run)),
            *(_number(self.cost_to(run, target))
              for target in self.targets)
        ] for run in self.runs]
        return markdown_table(head, rows)


def compare_runs(work_dirs: Sequence[Path],
                 metric: Optional[str],
                 targets: Sequence[float],
                 cost: Cost = COSTS['time']) -> TimeToAccuracy:
    """Read runs that are to be compared.

    Args:
        work_dirs (list[Path]): Their work dirs, at least one.
        metric (str, optional): The metric of the validations; None for what
            is usually reported.
        targets (list[float]): Values of the metric to reach: percentages,
            or errors as they are.
        cost (Cost): What they are measured by. Defaults to simulated
            seconds.

    Raises:
        ConfigError: If something of it cannot be used.
    """
    for target in targets:
        if not math.isfinite(target):
            raise ConfigError('--target', f'got {target}', 'use numbers')
    runs = [
        TimedRun.read(work_dir, name, cost)
        for work_dir, name in zip(work_dirs, _names(work_dirs))
    ]
    common = [
        name for name in runs[0].metrics
        if all(name in run.metrics for run in runs)
    ]
    if metric is None:
        if not common:
            raise ConfigError('--metric', 'no metric is common to all runs',
                              'compare runs of the same validation')
        metric = pick_metric(dict.fromkeys(common, 0.), None)
    for run in runs:
        if metric not in run.metrics:
            raise ConfigError(
                '--metric', f'{run.name} has not logged {metric!r}',
                f'use one of {", ".join(common or run.metrics)}')
    rule = _rule(metric, common)
    values = [value for run in runs for _, value in run.curve(metric)]
    return TimeToAccuracy(runs, scale_of_values(metric, rule, values), rule,
                          list(targets))


def _names(work_dirs: Sequence[Path]) -> List[str]:
    """Names of the folders, or their paths where two are named alike."""
    describe: Callable[[Path], str]
    for describe in (lambda path: Path(path).resolve().name, str):
        names = [describe(path) for path in work_dirs]
        if len(set(names)) == len(names):
            return names
    twice = next(name for name in names if names.count(name) > 1)
    raise ConfigError(twice, 'it is given twice', 'give every run once')


def _rule(metric: str, names: Sequence[str]) -> str:
    """Whether greater or less is better, also of what is summed up."""
    if metric == 'drift':
        return 'less'
    if metric.split('/')[-1] in SUMMARIES:
        metric = pick_metric(dict.fromkeys(names, 0.), None)
    return rule_of(metric)


def _number(cost: Optional[float]) -> str:
    return '-' if cost is None else f'{cost:.1f}'
