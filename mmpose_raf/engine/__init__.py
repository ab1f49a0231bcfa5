"""Where MMEngine meets the federation."""

from mmpose_raf.federation import FedAvg
from mmpose_raf.registry import AGGREGATORS
from .evaluate_run import evaluate_run
from .feature_movement_hook import FeatureMovementHook
from .federated_hook import FederatedHook
from .layer_decay import ViTLayerDecayOptimWrapperConstructor
from .multi_resolution_loops import (MultiResolutionTestLoop,
                                     MultiResolutionValLoop)

# mmpose_raf.federation knows nothing of registries: they know it.
AGGREGATORS.register_module(module=FedAvg)

__all__ = [
    'FeatureMovementHook', 'FederatedHook', 'MultiResolutionTestLoop',
    'MultiResolutionValLoop', 'ViTLayerDecayOptimWrapperConstructor',
    'evaluate_run'
]
