"""Train a pose estimator federatedly: MMPose's train.py, checked first.

Takes the options of MMPose's ``train.py``, adds the import of ``mmpose_raf``
to configs that lack it, and refuses a config that cannot work in one line,
with exit code 2. A run that is already in the work dir is never overwritten,
nor is one that is just training there.
Under ``torchrun`` with ``--launcher pytorch`` there may be more processes than
GPUs.
"""

import runpy
import sys
from pathlib import Path

import mmpose
from mmengine.config import Config
from mmengine.runner import Runner

from mmpose_raf.command_line import exit_code
from mmpose_raf.config_file import read_config
from mmpose_raf.engine.preflight import check_run
from mmpose_raf.engine.process_group import process_group
from mmpose_raf.errors import ConfigError, describe_error
from mmpose_raf.work_dir_lock import lock_work_dir


def stock_train() -> dict:
    """Names of MMPose's own train.py, which parses and merges the options."""
    path = Path(mmpose.__path__[0]) / '.mim/tools/train.py'
    if not path.is_file():
        raise ConfigError('mmpose', f'{path} is missing from the installation',
                          'install it with `pip install --no-deps mmpose`')
    return runpy.run_path(str(path))


def load_config(train: dict) -> Config:
    """Load the config and merge the command line into it."""
    args = train['parse_args']()
    cfg = read_config(args.config)
    try:
        cfg = train['merge_args'](cfg, args)
    except (AssertionError, AttributeError, LookupError, TypeError) as error:
        raise ConfigError('options', describe_error(error),
                          'see MMPose\'s train.py --help') from None
    cfg.setdefault('custom_imports', dict(imports=[]))
    if 'mmpose_raf' not in cfg.custom_imports['imports']:
        cfg.custom_imports['imports'].append('mmpose_raf')
    return cfg


def run():
    """Check and train."""
    cfg = load_config(stock_train())
    check_run(cfg)
    with process_group(cfg), lock_work_dir(cfg.work_dir):
        Runner.from_cfg(cfg).train()


def main() -> int:
    """Run; return the exit code."""
    return exit_code(run)


if __name__ == '__main__':
    sys.exit(main())
