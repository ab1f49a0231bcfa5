"""Closes gaps between OpenMMLab's last releases and today's libraries.

MMEngine 0.10.7, MMCV 2.1.0 and MMPose 1.3.2 are the last releases of their
projects. What has changed around them since is made up for here, a gap a
module, so that training needs neither pinned old libraries nor the compiled
operators of the full mmcv. Where the real thing works, it is left alone.

The package lies beside ``mmpose_raf`` and imports neither it nor torch: a
``.pth`` file that is installed with it runs
:func:`close_gaps_at_first_import` whenever Python starts, so that scripts may
import MMPose before ``mmpose_raf``, or without it.
"""

import sys

__all__ = ['close_gaps', 'close_gaps_at_first_import']

_OPENMMLAB = {'mmengine', 'mmcv', 'mmdet', 'mmpose', 'mmpretrain'}
_GAPS = ('pkg_resources', 'pkgutil', 'torchvision', 'mmcv_ops', 'xtcocotools',
         'opencv_drawing', 'bfloat16', 'own_configs')
_closed = False


def close_gaps() -> None:
    """Close the gaps, once.

    Nothing is imported for it: each gap is closed when the module that it is
    about is imported.
    """
    global _closed
    if _closed:
        return
    _closed = True
    from importlib import import_module
    for gap in _GAPS:
        import_module(f'{__name__}.{gap}').close()


def close_gaps_at_first_import() -> None:
    """Close the gaps as soon as a package of OpenMMLab is imported."""
    sys.meta_path.insert(0, _FirstImport())


class _FirstImport:
    """A finder that finds nothing but the moment."""

    def find_spec(self, name: str, path=None, target=None) -> None:
        if name in _OPENMMLAB:
            close_gaps()
