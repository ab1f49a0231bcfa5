"""What is computed over many resolutions."""

from .resolution_sweep import ResolutionSweep

__all__ = ['ResolutionSweep']
