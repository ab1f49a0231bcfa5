"""Compare FedAvg and RAF on rendered people.

Trains a small ViT with each, evaluates both at trained and at unseen sizes,
and writes a report. Needs no data, no GPU and no network.
"""

import argparse
from pathlib import Path

from mmpose_raf.commands import experiments

NEXT = """
What to try next:
  mmpose-raf train mmpose_raf::raf_demo.py     one of the trainings, its log
  mmpose-raf train --help                      your own config: docs/how_to/federate.md
  mmpose-raf experiments mmpose_raf::experiments/synthetic_headline.py"""


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
    failed = experiments.main(
        argparse.Namespace(set='mmpose_raf::experiments/demo.py',
                           only='*',
                           list=False,
                           work_dir=args.work_dir,
                           jobs=args.jobs))
    if not failed:
        print(NEXT)
    return failed
