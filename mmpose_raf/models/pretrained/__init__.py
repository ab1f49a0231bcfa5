"""Pretrained weights of other libraries' Vision Transformers."""

from .loading import (is_pretrained, load_pretrained_estimator,
                      load_pretrained_vit)
from .position_embedding import fit_position_embedding

__all__ = [
    'fit_position_embedding', 'is_pretrained', 'load_pretrained_estimator',
    'load_pretrained_vit'
]
