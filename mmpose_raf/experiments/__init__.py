"""Sets of experiments from one config."""

from .experiment_set import Experiment, load_experiments
from .queue import run_queue

__all__ = ['Experiment', 'load_experiments', 'run_queue']
