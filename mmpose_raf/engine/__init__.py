"""Where MMEngine meets the federation."""

from inspect import isabstract, isclass

from mmpose_raf import federation
from mmpose_raf.registry import AGGREGATORS, LOCAL_OBJECTIVES
from .computation_hook import ComputationHook
from .evaluate_run import evaluate_run
from .feature_movement_hook import FeatureMovementHook
from .federated_hook import FederatedHook
from .federated_train_loop import FederatedTrainLoop
from .federation_settings import FederationSettings
from .layer_decay import ViTLayerDecayOptimWrapperConstructor
from .multi_resolution_loops import (MultiResolutionTestLoop,
                                     MultiResolutionValLoop)
from .pgd_hook import PGDHook

# mmpose_raf.federation knows nothing of registries: they know it.
for _registry, _base in ((AGGREGATORS, federation.Aggregator),
                         (LOCAL_OBJECTIVES, federation.LocalObjective)):
    for _name in federation.__all__:
        _part = getattr(federation, _name)
        if isclass(_part) and issubclass(
                _part, _base) and _part is not _base and not isabstract(_part):
            _registry.register_module(module=_part)

__all__ = [
    'ComputationHook', 'FeatureMovementHook', 'FederatedHook',
    'FederatedTrainLoop', 'FederationSettings', 'MultiResolutionTestLoop',
    'MultiResolutionValLoop', 'PGDHook',
    'ViTLayerDecayOptimWrapperConstructor', 'evaluate_run'
]
