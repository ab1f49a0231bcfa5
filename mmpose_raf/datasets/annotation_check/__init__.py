"""What is wrong with annotations, found before training."""

from .check import Report, check_annotation_file

__all__ = ['Report', 'check_annotation_file']
