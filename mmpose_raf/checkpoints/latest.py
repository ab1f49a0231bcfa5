"""Which checkpoint a run resumes from."""

import functools
import logging
import os.path as osp
from pathlib import Path
from typing import List, Optional

from mmengine.logging import print_log
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from mmpose_raf.errors import ConfigError
from mmpose_raf_compat.replacing import replace_everywhere

# What Runner.resume takes out of a checkpoint. Best ones have no optimizer.
NEEDED = ('meta', 'state_dict', 'message_hub', 'optimizer')


def install() -> None:
    """Make MMEngine pass over checkpoints that cannot be read.

    ``find_latest_checkpoint`` then gives the newest one that can, and the log
    says so, if the one that ``last_checkpoint`` names is missing or damaged.
    """
    find = mmengine_checkpoint.find_latest_checkpoint

    @functools.wraps(find)
    def find_readable(path: str) -> Optional[str]:
        named = find(path)
        if named is None:
            return None
        problem = _problem_of(named)
        if problem is None:
            return named
        newest = _find_newest(named, path)
        print_log(
            f'last_checkpoint in {path} names '
            f'{named or "nothing"}, {problem}: ' +
            (f'{newest} is the newest checkpoint that can be resumed'
             if newest else 'nor can another one there be resumed'),
            logger='current',
            level=logging.WARNING)
        return newest

    replace_everywhere(find, find_readable)


def _problem_of(path: str) -> Optional[str]:
    """Why a checkpoint cannot be read; None if it can, or is elsewhere."""
    if '://' in path or osp.isdir(path):  # deepspeed's are folders
        return None
    if not osp.isfile(path):
        return 'which is no file'
    try:
        CheckpointLoader.load_checkpoint(
            path, map_location='cpu', logger='silent')
    except ConfigError as error:
        return f'which {error.problem}'
    return None


def _find_newest(named: str, work_dir: str) -> Optional[str]:
    """The newest file beside the named one that a run can resume from."""
    folders = {Path(work_dir), Path(named).parent if named else Path(work_dir)}
    files: List[Path] = [
        path for folder in folders for path in folder.glob('*.pth')
    ]
    for path in sorted(files, key=lambda x: x.stat().st_mtime, reverse=True):
        try:
            checkpoint = CheckpointLoader.load_checkpoint(
                str(path), map_location='cpu', logger='silent')
        except ConfigError:
            continue
        if all(checkpoint.get(key) for key in NEEDED):
            return str(path)
    return None
