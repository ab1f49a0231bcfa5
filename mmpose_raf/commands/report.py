"""Put what runs give at many resolutions side by side: tables and pictures.

Each argument is a work dir that holds a drift.json, or such a file. A work
dir that has none but a checkpoint is evaluated first. Wrong arguments are
refused in one line, with exit code 2.
"""

import argparse
from pathlib import Path
from typing import Sequence

from mmpose_raf.engine import evaluate_run
from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.drift_result import FILE_NAME, DriftResult
from mmpose_raf.sizes import Size, parse_size
from mmpose_raf.visualization import check_folder, write_report


def find_result(path: Path, input_sizes: Sequence[Size]) -> Path:
    """The result file of an argument.

    A run is evaluated if it has none, if it was trained on since, or if the
    sizes wanted are others.
    """
    if not path.is_dir():
        return path
    found = path / FILE_NAME
    if not found.is_file():
        return evaluate_run(path, input_sizes)
    last = path / 'last_checkpoint'
    is_old = last.is_file() and (last.stat().st_mtime > found.stat().st_mtime)
    sizes = DriftResult.load(found).input_sizes
    if is_old or (input_sizes and set(input_sizes) != set(sizes)):
        return evaluate_run(path, input_sizes or sizes)
    return found


def report(arguments: Sequence[Path], names: Sequence[str],
           input_sizes: Sequence[str], out_dir: Path):
    """Read the results, give them their names, and write the report."""
    if names and len(names) != len(arguments):
        raise ConfigError('--names',
                          f'got {len(names)} for {len(arguments)} results',
                          'give every result one name, in their order')
    check_folder(out_dir)
    sizes = [parse_size(text, '--input-sizes') for text in input_sizes]
    results, folders = [], {}
    for index, argument in enumerate(arguments):
        path = find_result(argument, sizes)
        result = DriftResult.load(path)
        if names:
            result.name = names[index]
        # Beside a file of another name lies what belongs to no one result.
        if path.name == FILE_NAME:
            folders[result.name] = path.parent
        results.append(result)
    write_report(results, folders, out_dir)


def add_arguments(parser: argparse.ArgumentParser):
    """Add the arguments of the command."""
    parser.add_argument('results',
                        nargs='+',
                        type=Path,
                        metavar='RUN_OR_RESULT',
                        help='a work dir, or a JSON file of one result')
    parser.add_argument(
        '-o',
        '--out-dir',
        required=True,
        type=Path,
        metavar='DIR',
        help='where the report goes: a new folder or an earlier report')
    parser.add_argument(
        '--names',
        nargs='+',
        default=[],
        metavar='NAME',
        help='names of the results in the report, instead of their own; '
        'those that differ in -seed<digits> only are put together')
    parser.add_argument(
        '--input-sizes',
        nargs='+',
        default=[],
        metavar='HxW',
        help='sizes at which runs without a result are evaluated, e.g. '
        '64x48 128x96 (default: those of their config)')


def main(arguments: argparse.Namespace):
    """Report."""
    report(arguments.results, arguments.names, arguments.input_sizes,
           arguments.out_dir)
    print(f'Report: {arguments.out_dir}/report.md')
