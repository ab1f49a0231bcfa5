"""How every tool of this project ends."""

import sys
from typing import Callable, Optional

from mmpose_raf.errors import ConfigError


def exit_code(run: Callable[..., Optional[int]], *args) -> int:
    """Run a tool; tell a user's error in one line.

    Args:
        run (callable): What the tool does; it may return an exit code.
        *args: Its arguments.

    Returns:
        int: What ``run`` returned, 0 if that is nothing, and 2 after a
        :class:`ConfigError`.
    """
    try:
        return run(*args) or 0
    except ConfigError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
