"""Real images that lie next to the repository, not in it."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1].parent / 'shared' / 'data'


def shared_data(name: str) -> Path:
    """Get the folder of a data set, or skip the test that asks for it.

    Args:
        name (str): Name of the folder, e.g. ``'coco_mini'``.

    Returns:
        Path: The folder.
    """
    folder = ROOT / name
    if not folder.is_dir():
        pytest.skip(f'the data set {name!r} is not next to the repository')
    return folder
