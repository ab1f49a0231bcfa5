"""Runs experiments that are not done yet."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Sequence

from mmengine.config import Config

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.drift_result import FILE_NAME
from .experiment_set import Experiment

CONFIG_NAME = 'experiment.py'
LOG_NAME = 'experiment.log'


@dataclass(frozen=True)
class Outcome:
    """What became of an experiment.

    Args:
        experiment (Experiment): The experiment.
        work_dir (Path): Its folder.
        state (str): ``'done'``, ``'was done'`` or ``'failed'``.
        minutes (float): Wall time, 0 if it was done before.
    """

    experiment: Experiment
    work_dir: Path
    state: str
    minutes: float


def run_queue(experiments: Sequence[Experiment], folder: Path,
              jobs: int) -> Iterator[Outcome]:
    """Train and test what is not done, a process for each experiment.

    An interrupted experiment continues at its last round; one that fails
    leaves the others alone.

    Args:
        experiments (list[Experiment]): What to run, in this order.
        folder (Path): Each experiment gets a folder of its name in it.
        jobs (int): How many run at once; they share the CPU's cores.

    Yields:
        Outcome: As they come, in the order of the experiments.

    Raises:
        ConfigError: If a folder holds an experiment of another config.
    """
    work_dirs = [folder / experiment.name for experiment in experiments]
    for experiment, work_dir in zip(experiments, work_dirs):
        _prepare(experiment, work_dir)
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with ThreadPoolExecutor(jobs) as pool:
        running = [
            pool.submit(_run, experiment, work_dir, threads)
            for experiment, work_dir in zip(experiments, work_dirs)
        ]
        try:
            for future in running:
                yield future.result()
        finally:
            # Interrupted: what has not begun does not begin.
            pool.shutdown(wait=False, cancel_futures=True)


def failed_lines(work_dir: Path, count: int = 3) -> List[str]:
    """Last lines of what a failed experiment wrote."""
    lines = (work_dir / LOG_NAME).read_text(errors='replace').splitlines()
    return [line for line in lines if line.strip()][-count:]


def _prepare(experiment: Experiment, work_dir: Path):
    """Write the experiment's config, or see that it is the one written."""
    path = work_dir / CONFIG_NAME
    if not path.exists():
        work_dir.mkdir(parents=True, exist_ok=True)
        experiment.config.dump(path)
        return
    written = Config.fromfile(path)
    wanted = Config.fromstring(experiment.config.pretty_text, '.py')
    if written.to_dict() != wanted.to_dict():
        raise ConfigError(
            str(work_dir), 'it holds an experiment of another config',
            'choose another --work-dir, or delete it')


def _run(experiment: Experiment, work_dir: Path, threads: int) -> Outcome:
    if (work_dir / FILE_NAME).exists():
        return Outcome(experiment, work_dir, 'was done', 0.)
    start = time.monotonic()
    with open(work_dir / LOG_NAME, 'a') as log:
        code = subprocess.run(
            [
                sys.executable, '-m', 'mmpose_raf.experiments.worker',
                str(work_dir / CONFIG_NAME),
                str(work_dir)
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, OMP_NUM_THREADS=str(threads))).returncode
    return Outcome(experiment, work_dir, 'failed' if code else 'done',
                   (time.monotonic() - start) / 60)
