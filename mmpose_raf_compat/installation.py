"""What the package cannot declare as its requirements."""

from importlib.util import find_spec

_NEEDED = ('mmengine', 'mmcv', 'mmpose')
_INSTALL = ('pip install mmcv-lite==2.1.0 mmdet==3.3.0 json-tricks munkres '
            'opencv-python && pip install --no-deps mmpose==1.3.2')


def check() -> None:
    """See that MMPose is there.

    MMPose names chumpy among its requirements, which current pip cannot build
    and no import needs; MMCV is either ``mmcv`` or ``mmcv-lite``. So neither
    can be among ours.

    Raises:
        ImportError: If a package is missing, with what to do about it.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise ImportError(f'mmpose_raf needs {" and ".join(missing)}, not '
                          f'installed here; to install: {_INSTALL}')
