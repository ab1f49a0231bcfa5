"""Compare how soon, or at what computation, federated runs become accurate.

Each argument is the work dir of a run. By time its clients need
samples_per_second, by computation it needs a ComputationHook. Writes
time_to_accuracy.md and time_to_accuracy.png, and prints the table: for each
target the end of the first validated round that reached it, '-' if none did. Wrong arguments are refused in one line, with exit code 2.
"""

import argparse
from pathlib import Path

from mmpose_raf.errors import make_folder
from mmpose_raf.evaluation.time_to_accuracy import COSTS, compare_runs
from mmpose_raf.visualization.time_to_accuracy_plot import (
    plot_time_to_accuracy)

NAME = 'time_to_accuracy'


def add_arguments(parser: argparse.ArgumentParser):
    """Add the arguments of the command."""
    parser.add_argument('runs',
                        nargs='+',
                        type=Path,
                        metavar='RUN',
                        help='a work dir')
    parser.add_argument('-o',
                        '--out-dir',
                        required=True,
                        type=Path,
                        metavar='FOLDER',
                        help='where table and picture go')
    parser.add_argument(
        '--by',
        choices=list(COSTS),
        default='time',
        help='simulated seconds, or pixels through the backbone (default: '
        'time)')
    parser.add_argument(
        '--metric',
        nargs='+',
        default=[None],
        help='metrics of the validations, e.g. PCK, coco/AP or 64x48/PCK, '
        'each with a table and a panel (default: what is usually reported)')
    parser.add_argument(
        '--target',
        nargs='+',
        type=float,
        default=[],
        metavar='VALUE',
        help='values to reach, e.g. 60 for 60 %%, or 0.05 for an error')


def main(args: argparse.Namespace):
    """Compare, write and print."""
    comparisons = [
        compare_runs(args.runs, metric, args.target, COSTS[args.by])
        for metric in args.metric
    ]
    make_folder(args.out_dir, '--out-dir')
    table = '\n\n'.join(comparison.table() for comparison in comparisons)
    (args.out_dir / f'{NAME}.md').write_text(f'{table}\n', encoding='utf-8')
    plot_time_to_accuracy(comparisons, args.out_dir / f'{NAME}.png')
    print(table)
    print(f'Picture: {args.out_dir / NAME}.png')
