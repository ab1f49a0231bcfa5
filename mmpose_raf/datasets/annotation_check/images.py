"""Whether the images of annotations are there."""

import os
from typing import Callable, Dict, List, Sequence, Set

import cv2

from .findings import Findings


def check_images(names: Sequence[str],
                 folder: str,
                 findings: Findings,
                 opens: bool = False):
    """Look for images that are missing or broken.

    Args:
        names (list[str]): Their paths in the folder.
        folder (str): The folder.
        findings (Findings): Where to note them.
        opens (bool): Whether they are decoded, too, which takes as long as
            reading them in training. Defaults to False.
    """
    listed: Dict[str, Set[str]] = {}
    missing: List[int] = []
    broken: List[int] = []
    for index, name in enumerate(names):
        path = os.path.join(folder, name)
        parent, file = os.path.split(path)
        # One look into each folder: asking for each file is slow over a
        # network.
        if parent not in listed:
            listed[parent] = _list(parent)
        if file not in listed[parent]:
            missing.append(index)
        elif opens and cv2.imread(path) is None:
            broken.append(index)
    name: Callable[[int], str] = lambda i: os.path.join(folder, names[i])
    findings.refuse('images that are missing', missing, name)
    findings.refuse('images that cannot be decoded', broken, name)


def _list(folder: str) -> Set[str]:
    return set(os.listdir(folder)) if os.path.isdir(folder) else set()
