"""Checks of what aggregators and local objectives are given."""

import math
from numbers import Real

from .errors import FederationError


def check_count(value, name: str, lowest: int = 1):
    """Raise FederationError unless a value is an integer of at least some."""
    if isinstance(value, bool) or not isinstance(
            value, int) or value < lowest:
        raise FederationError(f'{name} must be an integer of at least '
                              f'{lowest}, but got {value!r}')


def check_choice(value, choices, name: str):
    """Raise FederationError unless a value is one of some."""
    if value not in choices:
        raise FederationError(f'{name} must be one of {choices}, but got '
                              f'{value!r}')


def check_positive(value, name: str):
    """Raise FederationError unless a value is a finite number > 0."""
    check_finite(value, name)
    if not value > 0:
        raise FederationError(f'{name} must be > 0, but got {value!r}')


def check_not_negative(value, name: str):
    """Raise FederationError unless a value is a finite number >= 0."""
    check_finite(value, name)
    if not value >= 0:
        raise FederationError(f'{name} must be >= 0, but got {value!r}')


def check_decay(value, name: str):
    """Raise FederationError unless a value is a number in [0, 1)."""
    check_finite(value, name)
    if not 0 <= value < 1:
        raise FederationError(f'{name} must lie in [0, 1), but got {value!r}')


def check_finite(value, name: str):
    """Raise FederationError unless a value is a finite number."""
    if isinstance(value, bool) or not isinstance(
            value, Real) or not math.isfinite(value):
        raise FederationError(f'{name} must be a finite number, but got '
                              f'{value!r}')
