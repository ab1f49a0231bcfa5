"""Configs of models that are narrower than another."""

from typing import Any, Callable, Dict

from mmpose_raf.errors import ConfigError
from .backbones import RAFViT

_HEADS = ('HeatmapHead', 'AnyResolutionHeatmapHead')
# Widths that MMPose's constructors have where a config has none.
_DECONV = (256, 256, 256)


def narrow_config(model: dict, width: float, field: str) -> dict:
    """Config of a model of the same layers with fewer channels.

    Attention heads stay as wide as they are: there are fewer.

    Args:
        model (dict): Config of a pose estimator with a :class:`RAFViT` or a
            ResNet, no neck, and a heatmap head.
        width (float): Share of the channels that is left, in (0, 1].
        field (str): Where the width stands in a config, for messages.

    Returns:
        dict: The config, without files of pretrained weights.

    Raises:
        ConfigError: If a number of channels or heads has no such share, or
            the model is of another kind.
    """

    def scale(number: int, what: str) -> int:
        scaled = round(number * width)
        if not scaled or abs(scaled - number * width) > 1e-6:
            raise ConfigError(
                field, f'{width:g} of {number} {what} is no whole number',
                'choose another width')
        return scaled

    backbone, head = model['backbone'], model.get('head') or {}
    narrow_backbone = _BACKBONES.get(_name(backbone))
    if narrow_backbone is None:
        raise ConfigError(
            field, f'{_name(backbone)} cannot be made narrower',
            f'use one of {", ".join(_BACKBONES)}, or leave width out')
    if model.get('neck'):
        raise ConfigError(field, 'a neck cannot be made narrower',
                          'use a model without, or leave width out')
    if _name(head) not in _HEADS:
        raise ConfigError(field, f'{_name(head)} cannot be made narrower',
                          f'use one of {", ".join(_HEADS)}')
    channels = dict(
        in_channels=scale(head['in_channels'], "channels of the head's input"))
    for name, default in (('deconv_out_channels', _DECONV),
                          ('conv_out_channels', None)):
        numbers = head.get(name, default)
        if numbers:
            channels[name] = tuple(
                scale(number, 'channels of the head') for number in numbers)
    narrow = dict(
        model,
        backbone=dict(backbone, **narrow_backbone(backbone, scale)),
        head=dict(head, **channels))
    for part in (narrow, narrow['backbone'], narrow['head']):
        part.pop('init_cfg', None)
    return narrow


def _name(config: dict) -> str:
    kind = config.get('type')
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]


def _narrow_vit(config: dict, scale: Callable[[int, str], int]) -> dict:
    arch = config.get('arch', 'base')
    arch = RAFViT.arch_zoo[arch] if isinstance(arch, str) else arch
    return dict(
        arch=dict(
            arch,
            embed_dims=scale(arch['embed_dims'], 'channels'),
            num_heads=scale(arch['num_heads'], 'attention heads'),
            feedforward_channels=scale(arch['feedforward_channels'],
                                       'channels of the MLP')),
        position_width=arch['embed_dims'])


def _narrow_resnet(config: dict, scale: Callable[[int, str], int]) -> dict:
    return {
        name: scale(config.get(name, 64), 'channels')
        for name in ('base_channels', 'stem_channels')
    }


_BACKBONES: Dict[str, Callable[[dict, Any], dict]] = dict(
    RAFViT=_narrow_vit, ResNet=_narrow_resnet)
