"""Reading checkpoints without running what they hold."""

import contextlib
import functools
import os
import pickle
import re
import struct
from typing import Any, Iterator, Optional

import torch
from mmengine.logging import print_log
from mmengine.runner.checkpoint import CheckpointLoader

from mmpose_raf.errors import ConfigError
from .archive import find_damage
from .encoding import decode

TRUST_VARIABLE = 'MMPOSE_RAF_TRUST_CHECKPOINT'
_ANOTHER_FILE = 'copy or download it again, or give another file'


def install() -> None:
    """Make MMEngine read nothing unsafe and nothing damaged.

    Every checkpoint that it loads, by whatever scheme, is read with PyTorch's
    ``weights_only`` and decoded; the check sums of local files are compared
    before. Files that need more are refused with a
    :class:`~mmpose_raf.errors.ConfigError`, unless the environment variable
    ``MMPOSE_RAF_TRUST_CHECKPOINT`` lists their path (several are separated as
    in ``PATH``). PyTorch's own ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` trusts
    all files.
    """
    load = CheckpointLoader.load_checkpoint.__func__

    @functools.wraps(load)
    def load_safely(cls, filename, map_location=None, logger='current'):
        try:
            _check_file(filename)
            if is_listed(filename, TRUST_VARIABLE):
                checkpoint = _unpickle(filename, map_location, logger)
            else:
                with _weights_only():
                    checkpoint = load(cls, filename, map_location, logger)
                _drop_program(checkpoint)
            checkpoint = decode(checkpoint)
        except Exception as error:
            refusal = _explain(filename, error)
            if refusal is None:
                raise
        else:
            if isinstance(checkpoint, dict):
                return checkpoint
            refusal = ConfigError(
                filename, f'holds a {type(checkpoint).__name__} instead of '
                'named weights', 'give a checkpoint of a model')
        # Outside of the except clause: the user needs one line, not PyTorch's
        # advice to give up the safe reading.
        raise refusal from None

    CheckpointLoader.load_checkpoint = classmethod(load_safely)


def is_listed(filename: str, variable: str) -> bool:
    """Whether an environment variable lists the path of a file.

    Args:
        filename (str): A path, relative or absolute, also through links.
        variable (str): Its name. Paths are separated as in ``PATH``.
    """
    path = _real_path(filename)
    return any(path == _real_path(name)
               for name in os.environ.get(variable, '').split(os.pathsep))


def _real_path(name: str) -> str:
    return os.path.realpath(os.path.expanduser(name))


def _is_file(filename: str) -> bool:
    return os.path.isfile(os.path.expanduser(filename))


def _check_file(filename: str):
    if not _is_file(filename):
        return
    damage = find_damage(os.path.expanduser(filename))
    if damage is not None:
        raise ConfigError(filename,
                          f'cannot be read as a checkpoint ({damage})',
                          _ANOTHER_FILE)


def _drop_program(checkpoint: Any):
    """Take out what ``Runner.resume`` would run as a Python config.

    Old versions of MMEngine wrote the config there; today's is ``cfg``.
    """
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict):
        meta.pop('config', None)


@contextlib.contextmanager
def _weights_only() -> Iterator[None]:
    """Have every ``torch.load`` in here read weights only.

    The environment variable also binds loaders that say
    ``weights_only=False``, such as PyTorch's for URLs.
    """
    if _is_set('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'):
        yield
        return
    name = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
    previous = os.environ.get(name)
    os.environ[name] = '1'
    try:
        yield
    finally:
        if previous is None:
            del os.environ[name]
        else:
            os.environ[name] = previous


def _is_set(name: str) -> bool:
    # The values that PyTorch takes for true.
    return os.environ.get(name, '').lower() in ('1', 'y', 'yes', 'true')


def _unpickle(filename: str, map_location: Any, logger: Any) -> Any:
    print_log(
        f'Unpickles {filename}, which {TRUST_VARIABLE} lists', logger=logger)
    return torch.load(
        os.path.expanduser(filename),
        map_location=map_location,
        weights_only=False)


# -- what went wrong ---------------------------------------------------------


def _explain(filename: str, error: Exception) -> Optional[ConfigError]:
    """The error to show instead of one raised while reading.

    Returns:
        ConfigError | None: None if ``error`` has not to do with the content.
    """
    if isinstance(error, ConfigError):
        return error
    pickled = re.search(r'(?:GLOBAL|Unsupported class) ([\w.]+)', str(error))
    if isinstance(error, pickle.UnpicklingError) and pickled:
        fix = (f'set {TRUST_VARIABLE}={filename}' if _is_file(filename) else
               'download it, give its path '
               f'instead and set {TRUST_VARIABLE} to the same path')
        return ConfigError(
            filename, f'holds a pickled {pickled[1]}, and reading pickled '
            'objects can run any code', f'if you trust the file, {fix}')
    if _tells_damage(filename, error):
        # PyTorch's advice to switch off the safe reading comes first.
        text = str(error).split('WeightsUnpickler error:')[-1].strip()
        reason = ': '.join([type(error).__name__, *text.splitlines()[:1]])
        if 'weights_only' in reason:
            reason = 'it holds more than weights'
        return ConfigError(filename,
                           f'cannot be read as a checkpoint ({reason})',
                           _ANOTHER_FILE)
    return None


def _tells_damage(filename: str, error: Exception) -> bool:
    # PyTorch 2.1 raises this one for a missing device, too.
    if isinstance(error, pickle.UnpicklingError) and re.search(
            'Attempting to deserialize object on', str(error)):
        return False
    if isinstance(error, (EOFError, pickle.UnpicklingError, RecursionError)):
        return True
    if isinstance(error, RuntimeError):
        # Others tell of a device that is missing or full.
        return bool(
            re.search(
                'PytorchStreamReader|corrupt|record size|weights_only|'
                'not resizable|out of bounds',
                str(error)))
    # These are raised over URLs, too, but on the way to the file. An OSError
    # without a file name comes from seeking past the end.
    return (_is_file(filename)
            and isinstance(error,
                           (OSError, LookupError, TypeError, ValueError,
                            AttributeError, AssertionError, struct.error))
            and getattr(error, 'filename', None) is None)
