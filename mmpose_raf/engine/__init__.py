"""Where MMEngine meets the federation."""

from mmpose_raf.federation import FedAvg
from mmpose_raf.registry import AGGREGATORS
from .federated_hook import FederatedHook
from .layer_decay import ViTLayerDecayOptimWrapperConstructor

# mmpose_raf.federation knows nothing of registries: they know it.
AGGREGATORS.register_module(module=FedAvg)

__all__ = ['FederatedHook', 'ViTLayerDecayOptimWrapperConstructor']
