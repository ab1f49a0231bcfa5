"""What the rows of a GPU check say about defaults and aims."""

from typing import Any, Callable, Dict, Iterable, List, NamedTuple

from benchmarks.measuring import Row
from benchmarks.round import FEDERATION

Rows = Iterable[Row]


class Finding(NamedTuple):
    """A number that decides something.

    Args:
        name (str): What it says.
        step (str): The step that measures it.
        unit (str): Its unit.
        bound (str): ``'>= 4'``, ``'< 1'``, ...: where it is good.
        compute (callable): From the step's rows to the number.
    """

    name: str
    step: str
    unit: str
    bound: str
    compute: Callable[[Rows], float]


def pick(rows: Rows, *parts: str) -> float:
    """The value of the first row whose name holds all parts.

    Raises:
        LookupError: If there is none.
    """
    for row in rows:
        if all(part in row.name for part in parts):
            return row.value
    raise LookupError(f'no row has {parts} in its name')


def ratio(first: tuple, second: tuple) -> Callable[[Rows], float]:
    """One row's value over that of another, each given by its parts."""
    return lambda rows: pick(rows, *first) / pick(rows, *second)


def share_of_federation(rows: Rows) -> float:
    """Percent of a round of 4,000 samples that are not training."""
    return sum(row.value for row in rows
               if 'states on model, 4000 samples' in row.name
               and row.name.endswith(FEDERATION))


def memory_of_clients(rows: Rows) -> float:
    """Peak memory with the most clients over that with the fewest."""
    peaks = [
        row.value for row in rows
        if row.name.endswith(' clients, nothing, peak memory')
    ]
    return peaks[-1] / peaks[0]


FINDINGS = (
    Finding('step: baseline / ours', 'baseline_step', 'x', '>= 4',
            lambda rows: pick(list(rows)[::-1], 'levels + step')),
    Finding('MFU of a step', 'mfu', '%', '>= 45',
            lambda rows: pick(rows, 'step, MFU')),
    Finding('federation, share of a round', 'round', '%', '< 1',
            share_of_federation),
    Finding('memory, most clients / fewest', 'many_clients', 'x', '<= 1.05',
            memory_of_clients),
    Finding('levels in one pass: speed / one pass each', 'local_step', 'x',
            '> 1',
            ratio(('levels joint, speed', ), ('levels separate, speed', ))),
    Finding('compiled: speed / plain', 'compile', 'x', '> 1',
            ratio((' compiled, speed', ), (', speed', ))),
    Finding('moments moved beside the training: round / waiting', 'round',
            'x', '< 1',
            ratio(('states on cpu-overlap, plain round', ),
                  ('states on cpu, plain round', ))),
    Finding('flip test in one batch: speed / two passes', 'evaluation', 'x',
            '> 1',
            ratio(('prediction, joint flip', ),
                  ('prediction, two passes', ))),
    Finding('processes sharing clients: speed / one process',
            'parallel_clients', 'x', '> 1',
            lambda rows: pick(rows, 'sharing clients, speed')),
)  # yapf: disable


def is_met(value: float, bound: str) -> bool:
    """Whether a value is good by a bound such as ``'>= 4'``."""
    relation, limit = bound.split()
    return dict({
        '>': value > float(limit),
        '>=': value >= float(limit),
        '<': value < float(limit),
        '<=': value <= float(limit)
    })[relation]


def list_findings(rows: Dict[str, Rows]) -> List[Dict[str, Any]]:
    """What the steps have found.

    Args:
        rows (dict): Rows by step.

    Returns:
        list[dict]: ``name``, ``value``, ``unit``, ``bound`` and ``is_met`` of
        each finding whose step is there.
    """
    found = []
    for finding in FINDINGS:
        if finding.step in rows:
            value = finding.compute(rows[finding.step])
            found.append(
                dict(
                    name=finding.name,
                    value=value,
                    unit=finding.unit,
                    bound=finding.bound,
                    is_met=is_met(value, finding.bound)))
    return found
