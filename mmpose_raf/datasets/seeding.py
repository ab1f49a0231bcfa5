"""Random augmentation that depends on a seed alone."""

import random
from contextlib import contextmanager

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
