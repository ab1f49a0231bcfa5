"""Layer-wise learning-rate decay that knows every part of RAFViT."""

from typing import List

import torch.nn as nn
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS

from mmpose_raf.errors import ConfigError

FIELD = 'optim_wrapper.paramwise_cfg'
# Position encodings are applied before the first block.
EMBEDDINGS = ('backbone.patch_embed.', 'backbone.gpe.', 'backbone.pos_embed',
              'backbone.cls_token')
# Neither position encodings nor biases and norms (both 1-D) are decayed.
NO_DECAY = ('.gpe.', '.lpe.', '.pos_embed', '.cls_token')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class ViTLayerDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Optimizer constructor with layer decay for ViT pose estimators.

    The learning rate of block i of n is ``lr * layer_decay_rate ** (n - i)``
    (i = 1..n), that of the embeddings (patches, position, class token) one
    step below the first block, and that of everything after the blocks (last
    norm, neck, head) ``lr`` (BEiT, Bao et al., arXiv 2106.08254, appendix;
    ViTPose's setting). MMPose's ``LayerDecayOptimWrapperConstructor`` does
    not know GPE and gives it the head's rate. Biases, norms and position
    encodings have no weight decay. Every trainable parameter is in exactly
    one group.

    ``paramwise_cfg`` takes ``layer_decay_rate`` (float in (0, 1]) and
    ``num_layers``, which may be left out and must be the backbone's.

    Raises:
        ConfigError: If ``paramwise_cfg`` has other keys or values, or the
            backbone is no ViT.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg=None):
        if not paramwise_cfg:  # MMEngine would not ask for groups at all
            raise ConfigError(FIELD, 'it is missing',
                              'give dict(layer_decay_rate=0.75)')
        super().__init__(optim_wrapper_cfg, paramwise_cfg)

    def add_params(self, params: List[dict], module: nn.Module, **kwargs):
        """Append one parameter group for each layer and kind of decay.

        Args:
            params (list[dict]): Receives the groups.
            module (nn.Module): The pose estimator.
        """
        rate, num_layers = self._parse(module)
        groups = {}
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            layer = layer_of(name, num_layers)
            is_decayed = parameter.ndim > 1 and not any(
                part in f'.{name}' for part in NO_DECAY)
            scale = rate**(num_layers + 1 - layer)
            group = groups.setdefault(
                (layer, is_decayed),
                dict(
                    params=[],
                    param_names=[],
                    lr=self.base_lr * scale,
                    weight_decay=(self.base_wd or 0.) if is_decayed else 0.))
            group['params'].append(parameter)
            group['param_names'].append(name)
        params.extend(groups[key] for key in sorted(groups))

    def _parse(self, module: nn.Module):
        unknown = set(self.paramwise_cfg) - {'layer_decay_rate', 'num_layers'}
        if unknown:
            raise ConfigError(f'{FIELD}.{sorted(unknown)[0]}',
                              'it has no effect with layer decay',
                              'leave it out')
        rate = self.paramwise_cfg.get('layer_decay_rate')
        if not isinstance(rate, (int, float)) or not 0 < rate <= 1:
            raise ConfigError(f'{FIELD}.layer_decay_rate', f'got {rate!r}',
                              'give a number in (0, 1], e.g. 0.75')
        layers = getattr(module.backbone, 'layers', None)
        if not isinstance(layers, nn.ModuleList):
            raise ConfigError(
                'optim_wrapper.constructor',
                f'{type(module.backbone).__name__} has no list of layers',
                'use layer decay with RAFViT or another ViT')
        num_layers = self.paramwise_cfg.get('num_layers', len(layers))
        if num_layers != len(layers):
            raise ConfigError(f'{FIELD}.num_layers', f'got {num_layers}',
                              f'the backbone has {len(layers)}')
        return rate, num_layers


def layer_of(name: str, num_layers: int) -> int:
    """Layer of a parameter: 0 embeddings, 1..n blocks, n + 1 the rest."""
    if name.startswith(EMBEDDINGS):
        return 0
    if name.startswith('backbone.layers.'):
        return int(name.split('.')[2]) + 1
    return num_layers + 1
