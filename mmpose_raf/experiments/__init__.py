"""Sets of experiments from one config."""

from .experiment_set import Experiment, load_experiments
from .queue import Outcome, Progress, run_queue
from .time_left import TimeLeft

__all__ = [
    'Experiment', 'Outcome', 'Progress', 'TimeLeft', 'load_experiments',
    'run_queue'
]
