"""Data: who holds what, and the batches of one client after the other."""

from . import partitioners

__all__ = ['partitioners']
