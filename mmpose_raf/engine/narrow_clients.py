"""Clients that hold a narrower model than the global one."""

import copy
from typing import Dict

import torch
from mmengine.registry import MODELS
from torch import nn

from mmpose_raf.building import build
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import (Aggregator, FedConv, FederationError,
                                   Layout, Submodel)
from mmpose_raf.federation.state_math import copy_state
from mmpose_raf.models.backbones.position_encodings import PartOfWider
from mmpose_raf.models.backbones.raf_vit import Attention
from mmpose_raf.models.narrow_config import narrow_config
from .federation_settings import FederationSettings
from .personal_layers import find_personal
from .settings_checks import KEY

# y and x of position features: both have to be in a part, and of each
# frequency sine and cosine.
_HALVES = Layout(blocks=2, unit=2)


def build_narrow_models(model_config: dict,
                        settings: FederationSettings) -> Dict[str, nn.Module]:
    """Build the model of each client that holds less than all.

    Args:
        model_config (dict): Config of the global model.
        settings (FederationSettings): The federation.

    Returns:
        dict[str, nn.Module]: By name of the client, with random weights.
        Clients of one width share one model.

    Raises:
        ConfigError: If the model cannot be made that narrow.
    """
    models: Dict[float, nn.Module] = {}
    for client in settings.clients:
        if client.width not in (1, *models):
            # What it draws is overwritten.
            with torch.random.fork_rng():
                models[client.width] = build(
                    MODELS,
                    model_config_of(model_config, settings, client.name),
                    f'{KEY}.clients: client {client.name!r}.width')
    return {
        client.name: models[client.width]
        for client in settings.clients if client.width != 1
    }


def model_config_of(model_config: dict, settings: FederationSettings,
                    name: str) -> dict:
    """Config of the model that a client trains.

    Args:
        model_config (dict): Config of the global model.
        settings (FederationSettings): The federation.
        name (str): Name of the client.

    Raises:
        ConfigError: If the model cannot be made that narrow.
    """
    for index, client in enumerate(settings.clients):
        if client.name == name and client.width != 1:
            return narrow_config(
                copy.deepcopy(dict(model_config)), client.width,
                f'{KEY}.clients[{index}].width')
    return model_config


def connect_submodels(aggregator: Aggregator, model: nn.Module,
                      narrow_models: Dict[str, nn.Module],
                      settings: FederationSettings):
    """Tell an aggregator which client holds what.

    Args:
        aggregator (Aggregator): One that takes submodels, if there are any.
        model (nn.Module): The global model, not wrapped.
        narrow_models (dict[str, nn.Module]): See :func:`build_narrow_models`.
        settings (FederationSettings): The federation.
    """
    if narrow_models:
        found = {
            narrow: describe_submodel(model, narrow, settings)
            for narrow in narrow_models.values()
        }
        aggregator.submodels = {
            name: found[narrow]
            for name, narrow in narrow_models.items()
        }


def build_parts(model: nn.Module, model_config: dict,
                settings: FederationSettings,
                aggregator: Aggregator) -> Dict[str, nn.Module]:
    """Build the narrower clients' models, and tell the aggregator of them.

    Args:
        model (nn.Module): The global model, not wrapped.
        model_config (dict): Its config.
        settings (FederationSettings): The federation.
        aggregator (Aggregator): See :func:`connect_submodels`.

    Returns:
        dict[str, nn.Module]: By name of the client, on the model's device;
        personal layers begin as the global model's.

    Raises:
        ConfigError: If a part cannot be made of the model.
    """
    parts = build_narrow_models(model_config, settings)
    connect_submodels(aggregator, model, parts, settings)
    for name, part in parts.items():
        try:
            state = aggregator.part_of(model.state_dict(), name, 0)
        except FederationError as error:
            raise ConfigError(f'{KEY}.clients: client {name!r}.width',
                              str(error), 'choose another width') from error
        copy_state(state,
                   part.to(next(model.parameters()).device).state_dict())
    return parts


def give_part_losses(aggregator: Aggregator, parts: Dict[str, nn.Module]):
    """Let an aggregator judge the narrower models, if it asks for that.

    Args:
        aggregator (Aggregator): One that has its ``proxy_loss``.
        parts (dict[str, nn.Module]): See :func:`build_parts`.
    """
    if isinstance(aggregator, FedConv):
        aggregator.part_losses = {
            name: aggregator.proxy_loss.for_model(part)
            for name, part in parts.items()
        }


def describe_submodel(model: nn.Module, narrow: nn.Module,
                      settings: FederationSettings) -> Submodel:
    """Which entries of a model a narrower one holds.

    Args:
        model (nn.Module): The wide model.
        narrow (nn.Module): The narrow one.
        settings (FederationSettings): The federation.

    Raises:
        ConfigError: If it is no part of the other.
    """
    embed_dims, indices = None, {}
    layouts = _attention_layouts(model)
    personal = find_personal(narrow, settings.local_params)
    shapes, parts = ({
        name: tuple(value.shape)
        for name, value in module.state_dict().items()
    } for module in (model, narrow))
    for name, module in narrow.named_modules():
        if isinstance(module, PartOfWider):
            embed_dims = module.wider
            if f'{name}.held' in personal:
                parts.pop(f'{name}.held')
            else:
                indices[f'{name}.held'] = (embed_dims, _HALVES)
    for name, shape in shapes.items():
        for dim, length in enumerate(shape):
            if length == embed_dims:
                layouts.setdefault((name, dim), _HALVES)
    input_dims = {
        f'{name}.weight': 0
        for name, module in model.named_modules()
        if isinstance(module, nn.ConvTranspose2d)
    }
    try:
        return Submodel(shapes, parts, layouts, indices, input_dims)
    except FederationError as error:
        raise ConfigError(f'{KEY}.clients', str(error),
                          'choose another width') from error


def _attention_layouts(model: nn.Module) -> Dict[tuple, Layout]:
    """Where attention heads lie, which stay whole."""
    layouts = {}
    for name, module in model.named_modules():
        if isinstance(module, Attention):
            unit = module.proj.in_features // module.num_heads
            for entry in ('weight', 'bias'):
                layouts[f'{name}.qkv.{entry}', 0] = Layout(3, unit)
            layouts[f'{name}.proj.weight', 1] = Layout(1, unit)
    return layouts
