"""Trains and tests one experiment: a process of its own.

``python -m mmpose_raf.experiments.worker CONFIG WORK_DIR``
"""

import sys

from mmengine.config import Config
from mmengine.runner import Runner, find_latest_checkpoint

import mmpose_raf  # noqa: F401  closes gaps before mmpose is imported
from mmpose_raf.engine.preflight import check_run
from mmpose_raf.errors import ConfigError


def main(config: str, work_dir: str) -> int:
    """Run, or continue what was interrupted; return the exit code."""
    try:
        cfg = Config.fromfile(config)
        cfg.work_dir = work_dir
        cfg.resume = find_latest_checkpoint(work_dir) is not None
        check_run(cfg)
        runner = Runner.from_cfg(cfg)
        runner.train()
        runner.test()
    except ConfigError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
