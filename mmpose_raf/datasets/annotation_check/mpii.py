"""Annotations in the JSON format that MMPose's ``MpiiDataset`` reads."""

from typing import Any, List, Tuple

import numpy as np

from .findings import Findings
from .instances import Instances, check_numbers, is_number, is_row

FIELDS = ('image', 'center', 'scale', 'joints', 'joints_vis')

#: The format does not tell the images' sizes. Pixels, more than MPII's have.
IMAGE_SIDE = 1e4


def check_mpii(content: list, findings: Findings) -> Tuple[List[str], int]:
    """Check the persons of a file; see :func:`.coco.check_coco`."""
    usable = np.array([_is_whole(person) for person in content], bool)
    findings.refuse(
        f'persons without {", ".join(FIELDS)} of the lengths that belong '
        'together', np.flatnonzero(~usable), lambda i: f'number {i}')
    kept = np.flatnonzero(usable)
    persons = [content[i] for i in kept]
    findings.refuse(
        'a scale that is not > 0',
        [i for i, person in enumerate(persons) if not person['scale'] > 0],
        lambda i: f'number {kept[i]}')
    check_numbers(
        Instances(
            [_triples(person) for person in persons],
            np.array([[*person['center'], person['scale'], 1]
                      for person in persons], float).reshape(-1, 4),
            np.full(len(persons), IMAGE_SIDE), lambda i: f'number {kept[i]}'),
        findings)
    return sorted({person['image'] for person in persons}), len(persons)


def _is_whole(person: Any) -> bool:
    if not isinstance(person, dict) or not all(
            field in person for field in FIELDS):
        return False
    joints, visible = person['joints'], person['joints_vis']
    return isinstance(person['image'], str) and is_row(
        person['center'],
        2) and is_number(person['scale']) and isinstance(
            joints, list) and isinstance(
                visible, list) and len(joints) == len(visible) > 0 and all(
                    is_row(joint, 2) for joint in joints)


def _triples(person: dict) -> list:
    return [
        number for joint, visible in zip(person['joints'],
                                         person['joints_vis'])
        for number in (*joint, visible)
    ]
