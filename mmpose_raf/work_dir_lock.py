"""One training run in a work dir at a time."""

import contextlib
import errno
import logging
import os
import socket
import time
from pathlib import Path
from typing import IO, Iterator, Optional, Union

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log

from mmpose_raf.errors import ConfigError, describe_error

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

FILE_NAME = '.lock'


@contextlib.contextmanager
def lock_work_dir(work_dir: Union[str, Path]) -> Iterator[None]:
    """Keep other runs out of a work dir, in which they would write over this.

    The lock is the operating system's, of a file in the folder (POSIX record
    lock). It ends with this process, however that ends, and the processes of
    its data loaders do not hold it. Of a run of several processes the main
    one has it, and all are refused together.

    Args:
        work_dir (str | Path): The folder; it is made.

    Raises:
        ConfigError: If another process trains there, or the folder cannot be
            written to.
    """
    file: Optional[IO] = None
    refusal: list = [None]
    if is_main_process():
        try:
            file = _lock(Path(work_dir))
        except ConfigError as error:
            refusal = [(error.field, error.problem, error.fix)]
    broadcast_object_list(refusal)
    if refusal[0]:
        raise ConfigError(*refusal[0])
    try:
        yield
    finally:
        if file:
            file.close()


def _lock(work_dir: Path) -> Optional[IO]:
    """Open the lock file and lock it; the lock goes with its closing."""
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        file = open(work_dir / FILE_NAME, 'a+')
    except OSError as error:
        raise ConfigError('work_dir', describe_error(error),
                          'choose another --work-dir') from error
    if fcntl is None:
        return file
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        with file:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                file.seek(0)
                holder = ' '.join(file.read().split()) or 'another process'
                raise ConfigError('work_dir',
                                  f'{holder} is training in {work_dir}',
                                  'wait for its end, or choose another '
                                  '--work-dir') from error
        print_log(
            f'{work_dir} cannot be locked ({describe_error(error)}): do not '
            'start a second run in it',
            logger='current',
            level=logging.WARNING)
        return None
    file.truncate(0)
    started = time.strftime('%Y-%m-%d %H:%M:%S')
    file.write(f'process {os.getpid()} on {socket.gethostname()}, '
               f'since {started},')
    file.flush()
    return file
