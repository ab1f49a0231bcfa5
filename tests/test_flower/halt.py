"""A hook by which a test halts a server or a client where it wants to."""

import time
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

# Seconds, so that nothing waits for ever.
DEADLINE = 300


@HOOKS.register_module()
class Halt(Hook):
    """Halts before a round for as long as a file lies in the work dir.

    ``halt_2`` halts round 2; ``halted_2`` is made once it stands there.
    """

    def before_train_epoch(self, runner):
        """Stand still, at most until the deadline."""
        halt = Path(runner.work_dir, f'halt_{runner.epoch + 1}')
        end = time.monotonic() + DEADLINE
        while halt.exists():
            halt.with_name(f'halted_{runner.epoch + 1}').touch()
            if time.monotonic() > end:
                raise TimeoutError(f'nobody has removed {halt}')
            time.sleep(.1)
