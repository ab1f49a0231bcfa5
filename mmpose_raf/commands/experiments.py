"""Run a set of experiments and report on it.

Each experiment is trained and then tested at many resolutions. What is done
is skipped and what was interrupted continues, so that the same command can be
given again at any time. The report is written anew from all that is done.
"""

import argparse
from fnmatch import fnmatch
from pathlib import Path
from typing import Sequence

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation import DriftResult
from mmpose_raf.evaluation.drift_group import group_by_name
from mmpose_raf.evaluation.drift_result import FILE_NAME
from mmpose_raf.evaluation.drift_tables import size_table
from mmpose_raf.evaluation.metric_scale import scale_of
from mmpose_raf.experiments import (Experiment, Progress, TimeLeft,
                                    load_experiments, run_queue)
from mmpose_raf.experiments.queue import LOG_NAME, failed_lines
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
    failed = run_all(experiments, folder, args.jobs)
    report(whole_set, folder)
    return 1 if failed else 0


def run_all(experiments: Sequence[Experiment], folder: Path, jobs: int) -> int:
    """Run experiments, telling of each round.

    Args:
        experiments (list[Experiment]): What to run.
        folder (Path): Where their work dirs are.
        jobs (int): How many run at once.

    Returns:
        int: How many failed.
    """
    say(f'{len(experiments)} experiments, {jobs} at once: training, then a '
        'test at each input size.')
    say(f'Logs: {folder}/NAME/{LOG_NAME}')
    time_left = TimeLeft({
        experiment.name:
        experiment.config.train_cfg.max_epochs
        for experiment in experiments
    })
    finished, failed = 0, 0
    begun = set()
    for event in run_queue(experiments, folder, jobs):
        name = event.experiment.name
        if isinstance(event, Progress):
            time_left.note(name,
                           event.max_rounds - event.rounds,
                           is_new=name in begun)
            begun.add(name)
            left = time_left.describe()
            say(f'{name}: {_stage(event)}' + (left and f', {left}'))
            continue
        time_left.note(name, 0, is_new=False)
        finished += 1
        took = f' in {event.minutes:.1f} min' if event.minutes else ''
        say(f'{name}: {event.state}{took} '
            f'({finished} of {len(experiments)})')
        if event.state == 'failed':
            failed += 1
            say('    ' + '\n    '.join(failed_lines(event.work_dir)))
    return failed


def report(whole_set: Sequence[Experiment], folder: Path):
    """Write the report of all that is done, and print its table."""
    done = {
        experiment.name: folder / experiment.name
        for experiment in whole_set
        if (folder / experiment.name / FILE_NAME).is_file()
    }
    if not done:
        return
    results = [
        DriftResult.load(work_dir / FILE_NAME) for work_dir in done.values()
    ]
    write_report(results, done, folder / 'report')
    say(size_table(group_by_name(results), scale_of(results)))
    say(f'Picture: {folder}/report/resolution_curve.png')
    say(f'Report: {folder}/report/report.md')


def say(text: str):
    """Print at once, also where there is no terminal."""
    print(text, flush=True)


def _stage(progress: Progress) -> str:
    if progress.rounds == progress.max_rounds:
        return 'trained, test begins'
    if progress.rounds == 0:
        return 'training begins'
    return f'round {progress.rounds} of {progress.max_rounds} done'
