"""How every command of this project ends."""

import sys
import traceback
from typing import Callable, Optional

from mmpose_raf.errors import ConfigError, TrainingError

#: What a shell gives for a process that Ctrl-C has ended.
INTERRUPTED = 130


def exit_code(run: Callable[..., Optional[int]],
              *args,
              shows_traceback: bool = False) -> int:
    """Run a command; tell a user's error in one line.

    Args:
        run (callable): What the command does; it may return an exit code.
        *args: Its arguments.
        shows_traceback (bool): Whether such an error also shows where it was
            raised, and what caused it. Defaults to False.

    Returns:
        int: What ``run`` returned, 0 if that is nothing, 1 after a
        :class:`TrainingError`, 2 after a :class:`ConfigError` and 130 after
        Ctrl-C. Other errors are bugs and keep their traceback.
    """
    try:
        return run(*args) or 0
    except (ConfigError, TrainingError, KeyboardInterrupt) as error:
        if shows_traceback:
            traceback.print_exc()
        if isinstance(error, KeyboardInterrupt):
            print(': '.join(['interrupted', *map(str, error.args)]),
                  file=sys.stderr)
            return INTERRUPTED
        print(f'error: {error}', file=sys.stderr)
        return 1 if isinstance(error, TrainingError) else 2
