"""Run a set of experiments and report on it.

Each experiment is trained and then tested at many resolutions. What is done
is skipped and what was interrupted continues, so that the same command can be
given again at any time. The report is written anew from all that is done.
"""

import argparse
from fnmatch import fnmatch
from pathlib import Path

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation import DriftResult
from mmpose_raf.evaluation.drift_group import group_by_name
from mmpose_raf.evaluation.drift_result import FILE_NAME
from mmpose_raf.evaluation.drift_tables import size_table
from mmpose_raf.evaluation.metric_scale import scale_of
from mmpose_raf.experiments import load_experiments, run_queue
from mmpose_raf.experiments.queue import failed_lines
from mmpose_raf.visualization import write_report
from mmpose_raf_compat.own_configs import find_own_config


def add_arguments(parser: argparse.ArgumentParser):
    """Add the arguments of the command."""
    parser.add_argument('set',
                        help='a set, e.g. mmpose_raf::experiments/demo.py')
    parser.add_argument(
        '--work-dir',
        type=Path,
        help='where runs and report go; work_dirs/experiments/SET by default')
    parser.add_argument('--only',
                        default='*',
                        metavar='PATTERN',
                        help="run those whose name fits, e.g. '*-raf-hml-*'")
    parser.add_argument('--jobs',
                        type=int,
                        default=1,
                        help='how many run at once (default: 1)')
    parser.add_argument('--list',
                        action='store_true',
                        help='list the names and stop')


def main(args: argparse.Namespace) -> int:
    """Run the set; return the exit code: 1 if an experiment failed."""
    if args.jobs < 1:
        raise ConfigError('--jobs', f'got {args.jobs}', 'use 1 or more')
    path = Path(find_own_config(args.set))
    whole_set = load_experiments(path)
    experiments = [
        experiment for experiment in whole_set
        if fnmatch(experiment.name, args.only)
    ]
    if not experiments:
        raise ConfigError('--only', f'no experiment is named {args.only!r}',
                          'see --list')
    if args.list:
        print('\n'.join(experiment.name for experiment in experiments))
        return 0
    folder = args.work_dir or Path('work_dirs/experiments') / path.stem
    failed = 0
    for number, outcome in enumerate(run_queue(experiments, folder, args.jobs),
                                     start=1):
        name = outcome.experiment.name
        took = f', {outcome.minutes:.1f} min' if outcome.minutes else ''
        print(f'[{number}/{len(experiments)}] {name}: {outcome.state}{took}',
              flush=True)
        if outcome.state == 'failed':
            failed += 1
            print('    ' + '\n    '.join(failed_lines(outcome.work_dir)))
    done = {
        experiment.name: folder / experiment.name
        for experiment in whole_set
        if (folder / experiment.name / FILE_NAME).is_file()
    }
    if done:
        results = [
            DriftResult.load(work_dir / FILE_NAME)
            for work_dir in done.values()
        ]
        write_report(results, done, folder / 'report')
        print(size_table(group_by_name(results), scale_of(results)))
        print(f'Report: {folder}/report/report.md')
    return 1 if failed else 0
