"""Checkpoints that are safe to read, whole on the disk, and that fit.

:func:`install` changes how MMEngine saves, finds and loads them, so that
stock configs and MMPose's own scripts have it too:

- what is written holds tensors and plain values (:mod:`.encoding`) and
  replaces a file only as a whole (:mod:`.saving`);
- what is read can run no code and is not damaged (:mod:`.reading`);
- a run resumes from the newest file that can be read (:mod:`.latest`);
- weights that do not fit the model are refused (:mod:`.fitting`).
"""

import functools

from . import fitting, latest, reading, saving
from .encoding import decode, encode

__all__ = ['decode', 'encode', 'install']


@functools.lru_cache(maxsize=None)
def install() -> None:
    """Have MMEngine save and load checkpoints in this way, once."""
    saving.install()
    reading.install()
    latest.install()
    fitting.install()
