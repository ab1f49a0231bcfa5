"""Runs experiments that are not done yet."""

import os
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Callable, Iterator, List, Sequence, Union

from mmpose_raf.errors import ConfigError, make_folder
from mmpose_raf.evaluation.drift_result import FILE_NAME
from .experiment_set import Experiment

# Not in the work dir, where MMEngine writes its own.
CONFIG_FOLDER = 'configs'
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


@dataclass(frozen=True)
class Progress:
    """How far an experiment is.

    Args:
        experiment (Experiment): The experiment.
        rounds (int): Rounds (epochs) done so far.
        max_rounds (int): Rounds of the training; as many done means that the
            test has begun.
    """

    experiment: Experiment
    rounds: int
    max_rounds: int


def run_queue(experiments: Sequence[Experiment], folder: Path,
              jobs: int) -> Iterator[Union[Progress, Outcome]]:
    """Train and test what is not done, a process for each experiment.

    An interrupted experiment continues at its last round; one that fails
    leaves the others alone.

    Args:
        experiments (list[Experiment]): What to run, in this order.
        folder (Path): Each experiment gets a folder of its name in it.
        jobs (int): How many run at once; they share the CPU's cores.

    Yields:
        Progress | Outcome: As they come, at last an outcome for each
        experiment.

    Raises:
        ConfigError: If a folder holds an experiment of another config.
    """
    configs = [_write_config(experiment, folder) for experiment in experiments]
    threads = max(1, (os.cpu_count() or 1) // jobs)
    events = SimpleQueue()
    with ThreadPoolExecutor(jobs) as pool:
        for experiment, config in zip(experiments, configs):
            pool.submit(_run, experiment, config, folder / experiment.name,
                        threads, events.put).add_done_callback(events.put)
        outcomes = 0
        try:
            while outcomes < len(experiments):
                event = events.get()
                if isinstance(event, Future):
                    event = event.result()
                    outcomes += 1
                yield event
        finally:
            # After an interruption nothing new begins.
            pool.shutdown(wait=False, cancel_futures=True)


def failed_lines(work_dir: Path, count: int = 3) -> List[str]:
    """Last lines of what a failed experiment wrote."""
    lines = (work_dir / LOG_NAME).read_text(errors='replace').splitlines()
    return [line for line in lines if line.strip()][-count:]


def _write_config(experiment: Experiment, folder: Path) -> Path:
    """Write the experiment's config, or see that it is the one written."""
    path = folder / CONFIG_FOLDER / f'{experiment.name}.py'
    text = experiment.config.pretty_text
    if not path.exists():
        make_folder(path.parent, '--work-dir')
        path.write_text(text)
    elif path.read_text() != text:
        raise ConfigError(
            str(folder / experiment.name),
            'it holds an experiment of another config',
            f'choose another --work-dir, or delete it and {path}')
    return path


def _run(experiment: Experiment, config: Path, work_dir: Path, threads: int,
         tell: Callable[[Progress], None]) -> Outcome:
    if (work_dir / FILE_NAME).exists():
        return Outcome(experiment, work_dir, 'was done', 0.)
    start = time.monotonic()
    work_dir.mkdir(exist_ok=True)
    command = [
        sys.executable, '-m', 'mmpose_raf.experiments.worker',
        str(config),
        str(work_dir)
    ]
    with open(work_dir / LOG_NAME, 'a') as log, subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=dict(os.environ, OMP_NUM_THREADS=str(threads))) as process:
        for line in process.stdout:
            tell(Progress(experiment, *map(int, line.split())))
    return Outcome(experiment, work_dir,
                   'failed' if process.returncode else 'done',
                   (time.monotonic() - start) / 60)
