"""The command ``mmpose-raf``, also where MMPose is missing."""

import sys

from . import installation


def main() -> int:
    """Run a command; return the exit code."""
    try:
        installation.check()
    except ImportError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    from mmpose_raf.__main__ import main as run
    return run()
