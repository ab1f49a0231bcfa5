"""What a federated training has logged, read back."""

import json
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

Curves = Dict[str, Dict[str, List[Tuple[int, float]]]]

FEATURES = 'features'


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
    rounds: Dict[int, Dict[str, float]] = {}
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        rounds.update(_read_rounds(path))
    curves: Curves = {}
    for step in sorted(rounds):
        for key, value in rounds[step].items():
            owner, _, quantity = key.rpartition('/')
            curves.setdefault(owner, {}).setdefault(quantity, []).append(
                (step, value))
    return curves


def _read_rounds(path: Path) -> Dict[int, Dict[str, float]]:
    rounds: Dict[int, Dict[str, float]] = {}
    for line in _read_lines(path):
        step = line.pop('step', None)
        if step is not None and _is_of_round(line):
            rounds.setdefault(step, {}).update(line)
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
    return (any(key.endswith('/seconds') for key in line)
            or all(key.startswith(f'{FEATURES}/') for key in line))
