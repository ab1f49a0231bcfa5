"""Randomness that depends on a seed alone."""

import random
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch


@contextmanager
def seeded(seed: int):
    """Seed Python's, numpy's and torch's (CPU) generator for a while.

    Their states are restored afterwards, so that in a data loader without
    workers the model's own randomness is not touched.

    Args:
        seed (int): Seed in [0, 2**32).
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed)
        # Not torch.manual_seed: it would seed the GPUs as well.
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)


class Stream(IntEnum):
    """Streams of random numbers that the same seed keeps apart."""

    PARTICIPATION = 1
    BATCHES = 2
    PRESENCE = 3
    PROXY = 4


def draw_from(seed: int, stream: Stream, *key: int) -> np.random.Generator:
    """A generator of its own for each use and key.

    Args:
        seed (int): Seed of the run, >= 0.
        stream (Stream): What is drawn.
        *key (int): What it is drawn for, e.g. round and client.
    """
    # The stream comes first, and is not 0: numpy pads shorter keys with
    # zeros.
    return np.random.default_rng([seed, stream, *key])
