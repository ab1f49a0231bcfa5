"""Train a federation of real processes on this machine, with TLS and keys.

A SuperLink and a SuperNode for each client of the config start on 127.0.0.1,
train, and are stopped at the end, also after Ctrl-C. What they write stays in
the work dir.
"""

import argparse
import re
import signal
import sys
import time
from pathlib import Path

import mmpose_raf  # noqa: F401  closes gaps before anything else
from mmpose_raf.command_line import exit_code
from mmpose_raf.config_file import read_config
from mmpose_raf.engine.preflight import read_settings
from mmpose_raf.errors import ConfigError, TrainingError

# What the log of a server says that is worth a line here.
PROGRESS = re.compile(r'INFO - (Client \w+ is node|Round \[\d+/\d+\] asks'
                      r'|Epoch\(val\) \[\d+\])|ERROR - ')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', type=Path, help='config of a federation')
    parser.add_argument('--work-dir', type=Path, required=True,
                        help='where everything is written; must not exist')
    parser.add_argument('--evaluate', default='server',
                        choices=['server', 'clients', 'none'])
    return parser.parse_args()


def run():
    """Train, and tell how it goes."""
    from mmpose_raf.flower.trial import Trial
    args = parse_args()
    if args.work_dir.exists():
        raise ConfigError('--work-dir', f'{args.work_dir} is there already',
                          'choose another one')
    settings = read_settings(read_config(args.config))
    names = [client.name for client in settings.clients]
    start = time.monotonic()
    print(f'Starts a SuperLink and {len(names)} SuperNodes with TLS and keys')
    with Trial(args.work_dir, args.config, names) as trial:
        number = trial.submit(evaluate=args.evaluate, wait=300)
        status = follow(trial, number)
    print(f'{status["status"]} after {time.monotonic() - start:.0f} s; '
          f'checkpoints and logs are in {args.work_dir}')
    if status['status'] != 'finished:completed':
        raise TrainingError(status['status-details'])


def follow(trial, number: str) -> dict:
    """Print the server's progress until its run has ended."""
    shown, asked = 0, 0.
    while True:
        lines = trial.log().splitlines()
        for line in lines[shown:]:
            if PROGRESS.search(line):
                print('  ' + re.sub(r'^.*? - (INFO|ERROR) - ', '', line),
                      flush=True)
        shown = len(lines)
        # The question costs a process.
        if time.monotonic() - asked > 10:
            status = trial.status(number)
            asked = time.monotonic()
            if status['status'].startswith('finished'):
                return status
        time.sleep(0.5)


def main() -> int:
    """Run; return the exit code."""
    # A kill stops what was started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return exit_code(run)


if __name__ == '__main__':
    sys.exit(main())
