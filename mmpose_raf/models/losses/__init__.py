"""Losses."""

from .multi_resolution_distill_loss import MultiResolutionDistillLoss

__all__ = ['MultiResolutionDistillLoss']
