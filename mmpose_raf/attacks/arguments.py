"""Checks of what attacks are given."""

from numbers import Real
from typing import Any


def check_share(value: Any, name: str):
    """Raise ValueError unless a value is a number in (0, 1]."""
    if isinstance(value, bool) or not isinstance(
            value, Real) or not 0 < value <= 1:
        raise ValueError(f'{name} must lie in (0, 1], but got {value!r}')


def check_shift(value: Any, name: str):
    """Raise ValueError unless a value is a shift (x, y) in shares of a crop
    that is not (0, 0)."""
    is_pair = isinstance(value, (list, tuple)) and len(value) == 2
    if not is_pair or not all(
            isinstance(part, Real) and -1 < part < 1
            for part in value) or not any(value):
        raise ValueError(f'{name} must be two numbers within (-1, 1), not '
                         f'both 0, but got {value!r}')
