"""Heads."""

from .any_resolution_heatmap_head import AnyResolutionHeatmapHead

__all__ = ['AnyResolutionHeatmapHead']
