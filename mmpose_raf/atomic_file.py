"""Files that are there as a whole or not at all."""

import contextlib
import os
from pathlib import Path
from typing import Union

#: What the name of a file ends in until it is whole.
UNFINISHED = '.unfinished'


def write_atomically(path: Union[str, Path], content: bytes) -> None:
    """Write a file so that no kill leaves a part of it.

    The content goes to a file beside it, from there to the disk, and only
    then gets the name (POSIX ``rename`` is atomic within a folder). Until
    then an older file of this name is as it was; also if the disk is full.

    Args:
        path (str | Path): The file; its folder exists.
        content (bytes): All it shall hold.

    Raises:
        OSError: If it cannot be written.
    """
    path = Path(path)
    # One name for each file: what a kill leaves is written over in time.
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with open(unfinished, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk, too."""
    if os.name == 'nt':  # opens no folders, and needs none opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
