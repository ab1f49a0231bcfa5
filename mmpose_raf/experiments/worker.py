"""Trains and tests one experiment: a process of its own.

``python -m mmpose_raf.experiments.worker CONFIG WORK_DIR``

Its stdout has a line for each round, ``rounds max_rounds``; all else goes to
stderr.
"""

import os
import sys
from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner, find_latest_checkpoint

import mmpose_raf  # noqa: F401  closes gaps before mmpose is imported
from mmpose_raf.command_line import exit_code
from mmpose_raf.engine import evaluate_run
from mmpose_raf.engine.preflight import check_run


class TellRounds(Hook):
    """Tells how many rounds are done: at the start, and after each.

    Args:
        file (TextIO): Where it writes.
    """

    def __init__(self, file):
        self.file = file

    def before_train(self, runner):
        self._tell(runner.epoch, runner.max_epochs)

    def after_train_epoch(self, runner):
        # MMEngine counts it after the hooks.
        self._tell(runner.epoch + 1, runner.max_epochs)

    def _tell(self, rounds: int, max_rounds: int):
        print(rounds, max_rounds, file=self.file, flush=True)


def run(config: str, work_dir: str, told: Hook):
    """Train and test, or continue what was interrupted."""
    cfg = Config.fromfile(config)
    cfg.work_dir = work_dir
    cfg.resume = find_latest_checkpoint(work_dir) is not None
    if cfg.resume:  # MMEngine would resume what load_from names
        cfg.load_from = None
    check_run(cfg)
    runner = Runner.from_cfg(cfg)
    runner.register_hook(told, priority='LOWEST')
    runner.train()
    # The checkpoint: in a test of the same runner EMAHook would begin anew,
    # with the weights of the last round instead of their average.
    evaluate_run(Path(work_dir))


if __name__ == '__main__':
    with os.fdopen(os.dup(sys.stdout.fileno()), 'w') as told:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        sys.exit(exit_code(run, *sys.argv[1:], TellRounds(told)))
