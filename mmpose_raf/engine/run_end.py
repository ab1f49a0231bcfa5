"""What a run says that ends before its time."""

import contextlib
import errno
import os.path as osp
from typing import Iterator

from mmpose_raf.errors import TrainingError, describe_error

# Of a full disk, a quota, and folders that became read-only.
_FOLDER_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES,
                  errno.EPERM)


@contextlib.contextmanager
def telling_how_to_go_on(work_dir: str,
                         saved: str = 'last_checkpoint') -> Iterator[None]:
    """Tell how a run that is broken off in here can be continued.

    Args:
        work_dir (str): Its work dir.
        saved (str): File or folder in it that is there once something is
            saved. Defaults to ``'last_checkpoint'``.

    Raises:
        KeyboardInterrupt: After Ctrl-C, with that as its argument.
        TrainingError: If the folder is full or cannot be written to.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(_how(work_dir, saved)) from error
    except OSError as error:
        if error.errno not in _FOLDER_ERRORS:
            raise
        raise TrainingError(f'{describe_error(error)}; mend that, and '
                            f'{_how(work_dir, saved)}') from error


def _how(work_dir: str, saved: str) -> str:
    if osp.exists(osp.join(work_dir, saved)):
        return f'continue with --resume --work-dir {work_dir}'
    return 'start again, as no round was saved'
