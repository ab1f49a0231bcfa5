"""Resolution-adaptive federated learning for MMPose.

Importing the package closes the gaps between OpenMMLab's last releases and
today's PyTorch (:mod:`mmpose_raf.compat`) and registers every component, so
``custom_imports = dict(imports=['mmpose_raf'])`` is all that a config needs.
"""

from mmpose_raf import compat
from mmpose_raf.version import __version__

# The gaps stand in the way of importing mmpose.models: first this, then the
# components.
compat.apply()

from mmpose_raf import datasets, engine, models  # noqa: E402

__all__ = ['__version__', 'datasets', 'engine', 'models']
