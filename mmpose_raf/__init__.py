"""Resolution-adaptive federated learning for MMPose.

Importing the package closes the gaps between OpenMMLab's last releases and
today's libraries (:mod:`mmpose_raf_compat`), makes MMEngine's checkpoints safe
(:mod:`mmpose_raf.checkpoints`) and registers every component, so
``custom_imports = dict(imports=['mmpose_raf'])`` is all that a config needs.
"""

import mmpose_raf_compat
import mmpose_raf_compat.installation
from mmpose_raf.version import __version__

# The gaps stand in the way of importing mmpose.models: first this, then the
# components.
mmpose_raf_compat.installation.check()
mmpose_raf_compat.close_gaps()

from mmpose_raf import checkpoints  # noqa: E402

checkpoints.install()

from mmpose_raf import (  # noqa: E402
    attacks, datasets, defences, engine, models, one_shot)

__all__ = [
    '__version__', 'attacks', 'datasets', 'defences', 'engine', 'models',
    'one_shot'
]
