"""What a federated training has logged, read back."""

import json
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple

Curves = Dict[str, Dict[str, List[Tuple[int, float]]]]
# What each round logged, by its number
Rounds = Dict[int, Dict[str, float]]

FEATURES = 'features'
# The whole federation's, no client's, though one may be named so
CLOCK = 'federation/clock'
MEGAPIXELS = 'federation/megapixels'
TOTALS = (CLOCK, MEGAPIXELS)
# What MMEngine adds to the metrics of a validation
TIMES = ('data_time', 'time')


def read_training_log(work_dir: Path) -> Curves:
    """Read what the rounds of a run logged for each client.

    MMEngine writes it to ``<time>/vis_data/scalars.json``, among its own
    lines, anew for each time that a run is resumed.

    Args:
        work_dir (Path): The work dir of the run.

    Returns:
        dict: For each client, and for ``'features'`` where the backbone's
        features were watched, each quantity as (round, value) by rising
        round. Of a round that was run twice only the later run counts.
        Empty if nothing was logged.
    """
    rounds = _read_rounds(work_dir, _is_of_round)
    curves: Curves = {}
    for step in sorted(rounds):
        for key, value in rounds[step].items():
            owner, _, quantity = key.rpartition('/')
            if key not in TOTALS:
                curves.setdefault(owner, {}).setdefault(quantity, []).append(
                    (step, value))
    return curves


def read_total(work_dir: Path, key: str) -> Dict[int, float]:
    """Read what the rounds of a run had cost the federation at their ends.

    Args:
        work_dir (Path): The work dir of the run.
        key (str): What was logged, one of ``TOTALS``: simulated seconds, or
            megapixels through the backbone, since the start.

    Returns:
        dict: The values by rising round. Empty if it was not logged.
    """
    rounds = _read_rounds(work_dir, _is_of_round)
    return {
        step: rounds[step][key]
        for step in sorted(rounds) if key in rounds[step]
    }


def read_validations(work_dir: Path) -> Rounds:
    """Read the metrics of the validated rounds of a run.

    Args:
        work_dir (Path): The work dir of the run.

    Returns:
        dict: Metrics by their names, by rising round. Of a round that was
        validated twice only the later validation counts.
    """
    rounds = _read_rounds(work_dir, _is_validation)
    return {
        step: {
            key: value
            for key, value in rounds[step].items() if key not in TIMES
        }
        for step in sorted(rounds)
    }


def find_logs(work_dir: Path) -> List[Path]:
    """Find what a run has logged, the parts of a resumed one in order."""
    return sorted(Path(work_dir).glob('*/vis_data/scalars.json'))


def _read_rounds(work_dir: Path, is_wanted: Callable[[dict], bool]) -> Rounds:
    rounds: Rounds = {}
    for path in find_logs(work_dir):
        part: Rounds = {}
        for line in _read_lines(path):
            step = line.pop('step', None)
            if step is not None and is_wanted(line):
                part.setdefault(step, {}).update(line)
        rounds.update(part)
    return rounds


def _read_lines(path: Path) -> Iterator[dict]:
    for text in path.read_text().splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # cut off when the run was killed
            continue
        if isinstance(line, dict):
            yield line


def _is_of_round(line: dict) -> bool:
    if not line or not all('/' in key for key in line):
        return False  # MMEngine's lines hold keys without an owner
    # A round without participants logs the totals alone.
    return (any(key in TOTALS or key.endswith('/seconds') for key in line)
            or all(key.startswith(f'{FEATURES}/') for key in line))


def _is_validation(line: dict) -> bool:
    # Lines of the training name their iteration, those of validations do not.
    return bool(line) and 'iter' not in line and not _is_of_round(line)
