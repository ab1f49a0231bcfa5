"""Registries of what MMEngine and MMPose have no registry for.

Like MMPose's own ``KEYPOINT_CODECS`` they are roots of scope ``mmpose``:
MMEngine looks a type up in the registry of the config's ``default_scope``,
which is ``mmpose`` in every MMPose config, and a parent admits only one child
of a scope.
"""

from mmengine.registry import Registry

ADAPTERS = Registry('adapter', scope='mmpose', locations=['mmpose_raf.models'])
AGGREGATORS = Registry(
    'aggregator', scope='mmpose', locations=['mmpose_raf.engine'])
ATTACKS = Registry('attack', scope='mmpose', locations=['mmpose_raf.attacks'])
LOCAL_DEFENCES = Registry(
    'local_defence', scope='mmpose', locations=['mmpose_raf.defences'])
LOCAL_OBJECTIVES = Registry(
    'local_objective', scope='mmpose', locations=['mmpose_raf.engine'])
PARTITIONERS = Registry(
    'partitioner', scope='mmpose', locations=['mmpose_raf.datasets'])
