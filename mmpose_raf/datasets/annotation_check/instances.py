"""Annotated persons as arrays, and what can be wrong with their numbers."""

from typing import Any, Callable, List, NamedTuple, Sequence, Tuple

import numpy as np

from .findings import Findings

#: Labelled keypoints farther from the image than so many of its longer side
#: are a mistake, not a limb beyond the border.
FARTHEST = 10.


class Instances(NamedTuple):
    """The instances of a file that a dataset will keep, N of them.

    Args:
        keypoints (list): Of each, K triples x, y, visibility in a row.
        boxes (np.ndarray): Left, top, width and height in pixels, in shape
            (N, 4).
        sides (np.ndarray): Longer side of their image in pixels, in shape
            (N, ).
        name (callable): Names an index for the user.
    """

    keypoints: List[Sequence[float]]
    boxes: np.ndarray
    sides: np.ndarray
    name: Callable[[int], str]


def is_number(value: Any) -> bool:
    """Whether a value is a number, of a float's range; True is not."""
    return isinstance(value, float) or (isinstance(value, int)
                                        and not isinstance(value, bool)
                                        and abs(value) < 2**1000)


def is_row(value: Any, length: int) -> bool:
    """Whether a value is a list of so many numbers."""
    return isinstance(value, list) and len(value) == length and all(
        map(is_number, value))


def check_numbers(instances: Instances, findings: Findings):
    """Look for numbers that would spoil training.

    Args:
        instances (Instances): What a dataset keeps.
        findings (Findings): Where to note them.
    """
    name = instances.name
    if not instances.keypoints:
        return
    rows, where = _stack(instances.keypoints, findings, name)
    if not len(where):
        return
    keypoints = rows.reshape(len(rows), -1, 3)
    # Coordinates are float32 in MMPose's samples.
    with np.errstate(over='ignore'):
        finite = np.isfinite(keypoints.astype(np.float32)).all((1, 2))
        finite_box = np.isfinite(instances.boxes.astype(np.float32)).all(1)
    findings.refuse('keypoints that are not finite', where[~finite], name)
    findings.refuse('boxes that are not finite', np.flatnonzero(~finite_box),
                    name)
    visibility = keypoints[..., 2]
    findings.refuse('visibility outside of 0 to 2',
                    where[((visibility < 0) | (visibility > 2)).any(1)], name)
    # From the nearer border, for 0 <= x <= side.
    side = instances.sides[where, None, None]
    distance = np.abs(keypoints[..., :2] - side / 2) - side / 2
    is_far = (distance > FARTHEST * side).any(2) & (visibility > 0)
    findings.refuse(
        f'labelled keypoints more than {FARTHEST:g} image sides outside',
        where[is_far.any(1) & finite], name)


def _stack(rows: List[Sequence[float]], findings: Findings,
           name: Callable[[int], str]) -> Tuple[np.ndarray, np.ndarray]:
    """Stack the rows of the usual length, (M, 3 K), and say which they are."""
    lengths = np.array(
        [len(row) if isinstance(row, list) else 0 for row in rows])
    values, counts = np.unique(lengths, return_counts=True)
    usual = int(values[counts.argmax()])
    is_whole = usual > 0 and usual % 3 == 0
    usable = np.flatnonzero((lengths == usual) & is_whole)
    findings.refuse('keypoints that are not x, y and visibility of each',
                    np.setdiff1d(np.arange(len(rows)), usable), name)
    try:
        return np.array([rows[i] for i in usable], float), usable
    except (TypeError, ValueError, OverflowError):
        numeric = [i for i in usable if is_row(rows[i], usual)]
        findings.refuse('keypoints that are no numbers',
                        np.setdiff1d(usable, numeric), name)
        return np.array([rows[i] for i in numeric],
                        float).reshape(-1, usual), np.array(numeric, int)
