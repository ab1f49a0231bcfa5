"""Backbones."""

from .raf_vit import RAFViT

__all__ = ['RAFViT']
