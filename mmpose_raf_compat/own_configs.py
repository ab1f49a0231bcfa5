"""``mmpose_raf::config.py`` in MMEngine's configs.

MMEngine looks up ``package::config`` for OpenMMLab's own packages only, and
takes the package's name for the scope of its components. Those of mmpose_raf
are in MMPose's.
"""

import functools
from pathlib import Path
from types import ModuleType
from typing import Optional, Tuple

from .finders import AfterImport

_PREFIX = 'mmpose_raf::'
_FOLDER = Path(__file__).parents[1] / 'mmpose_raf/.mim/configs'


def close() -> None:
    """Let ``_base_`` name configs of mmpose_raf."""
    AfterImport('mmengine.config.config', _know_own_configs).install()


def find_own_config(path: str) -> str:
    """Path of a config's file.

    Args:
        path (str): A path, or the name of a config that comes with
            mmpose_raf, e.g. ``mmpose_raf::raf_vitpose_b.py``.

    Returns:
        str: A path.
    """
    if path.startswith(_PREFIX):
        return str(_FOLDER / path[len(_PREFIX):])
    return path


def _know_own_configs(module: ModuleType) -> None:
    get_cfg_path = module.Config._get_cfg_path

    @functools.wraps(get_cfg_path)
    def get_own_cfg_path(cfg_path: str,
                         filename: str) -> Tuple[str, Optional[str]]:
        if cfg_path.startswith(_PREFIX):
            return find_own_config(cfg_path), None
        return get_cfg_path(cfg_path, filename)

    module.Config._get_cfg_path = staticmethod(get_own_cfg_path)
