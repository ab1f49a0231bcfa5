"""Trains and tests one experiment: a process of its own.

``python -m mmpose_raf.experiments.worker CONFIG WORK_DIR``
"""

import sys

from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint

import mmpose_raf  # noqa: F401  closes gaps before mmpose is imported
from mmpose_raf.command_line import exit_code
from mmpose_raf.engine.preflight import check_run


def run(config: str, work_dir: str):
    """Train and test, or continue what was interrupted."""
    cfg = Config.fromfile(config)
    cfg.work_dir = work_dir
    cfg.resume = find_latest_checkpoint(work_dir) is not None
    check_run(cfg)
    runner = Runner.from_cfg(cfg)
    runner.train()
    runner.test()


if __name__ == '__main__':
    sys.exit(exit_code(run, *sys.argv[1:]))
