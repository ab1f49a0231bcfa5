"""What the package cannot declare as its requirements."""

import sys
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
        SystemExit: In its place, with that line, if Python itself imports the
            package, to run one of its modules (``python -m mmpose_raf``).
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if not missing:
        return
    problem = (f'mmpose_raf needs {" and ".join(missing)}, not installed '
               f'here; to install: {_INSTALL}')
    # What Python writes there while it looks for the module to run.
    if sys.argv[:1] == ['-m']:
        print(f'error: {problem}', file=sys.stderr)
        raise SystemExit(2)
    raise ImportError(problem)
