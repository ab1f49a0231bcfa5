"""``xtcocotools``: pycocotools serves in its place.

MMPose reads COCO's files and computes OKS with xtcocotools, whose last
release has wheels for Python 3.10 and 3.11 and numpy 1 only.
"""

import importlib
from types import ModuleType

from .finders import Fallback


def close() -> None:
    """Let pycocotools serve where xtcocotools does not import."""
    # Importing the package alone does not load its compiled part.
    Fallback('xtcocotools', _create,
             lambda: importlib.import_module('xtcocotools._mask')).install()


def _create(name: str, failure: Exception) -> ModuleType:
    if name not in ('xtcocotools', 'xtcocotools.coco', 'xtcocotools.cocoeval',
                    'xtcocotools.mask'):
        raise ModuleNotFoundError(f'No module named {name!r}', name=name)
    module = ModuleType(name)
    if name == 'xtcocotools.mask':
        import pycocotools.mask
        module.__dict__.update(
            (key, value) for key, value in vars(pycocotools.mask).items()
            if not key.startswith('_'))
    elif name != 'xtcocotools':
        from . import coco_api
        module.COCO = coco_api.COCO
        module.COCOeval = coco_api.COCOeval
    return module
