"""Compare FedAvg and RAF on rendered people.

Trains a small ViT with each, evaluates both at trained and at unseen sizes,
and writes a report. Needs no data, no GPU and no network.
"""

import argparse
from pathlib import Path

from mmpose_raf.commands import experiments


def add_arguments(parser: argparse.ArgumentParser):
    """Add the arguments of the command."""
    parser.add_argument('--work-dir',
                        type=Path,
                        default=Path('work_dirs/experiments/demo'),
                        help='where runs and report go (default: %(default)s)')
    parser.add_argument('--jobs',
                        type=int,
                        default=2,
                        help='how many runs at once (default: %(default)s)')


def main(args: argparse.Namespace) -> int:
    """Run; return the exit code."""
    return experiments.main(
        argparse.Namespace(set='mmpose_raf::experiments/demo.py',
                           only='*',
                           list=False,
                           work_dir=args.work_dir,
                           jobs=args.jobs))
