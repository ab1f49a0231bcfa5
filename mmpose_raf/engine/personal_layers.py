"""Layers that stay with their client."""

from fnmatch import fnmatchcase
from typing import Dict, List, Sequence, Set, Union

import torch
from mmengine.logging import MessageHub
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from mmpose_raf.errors import ConfigError
from mmpose_raf.federation.state_math import State, clone_state, copy_state
from mmpose_raf.models.lora import merge, unsent_entries

FIELD = 'federation.local_params'
#: Name under which a message hub has the clients' layers.
PERSONAL = 'personal_layers'
#: All normalisation layers, as in FedBN.
NORM = 'norm'
# GroupNorm's and LayerNorm's descendants, e.g. LayerNorm2d, are theirs.
NORM_TYPES = (_NormBase, nn.LayerNorm, nn.GroupNorm)


class PersonalLayers:
    """Entries of a model's state dict that are never sent or averaged.

    FedBN (Li et al., ICLR 2021) keeps the normalisation layers; personal
    heads or position encodings are kept by their names. A client starts with
    the model's first values.

    Args:
        model (nn.Module): The model, not wrapped.
        patterns (str | list[str]): ``'norm'`` for all normalisation layers,
            or shell patterns of names in the state dict, e.g.
            ``['head.*']``.
        device (torch.device): Where the layers of waiting clients lie.

    Attributes:
        first (dict[str, Tensor]): The model's values when this was made.
        unsent (set[str]): Entries that are frozen: nobody's own, and never
            sent either.

    Raises:
        ConfigError: If a pattern fits no entry, or all stay.
    """

    def __init__(self, model: nn.Module, patterns: Union[str, Sequence[str]],
                 device: torch.device):
        self.model = model
        self.names = set(find_personal(model, patterns))
        self.unsent = unsent_entries(model)
        self.device = device
        self.first = self.take()

    def shared(self, state: State) -> State:
        """The entries of a state dict that are sent."""
        return {
            key: value
            for key, value in state.items() if self._is_sent(key)
        }

    def _is_sent(self, name: str) -> bool:
        return name not in self.names and name not in self.unsent

    def parameters(self) -> List[str]:
        """Names of the model's parameters that are sent."""
        return [
            name for name, _ in self.model.named_parameters()
            if self._is_sent(name)
        ]

    def trained(self) -> List[str]:
        """Those of them that have a gradient."""
        with_gradient = {
            name for name, parameter in self.model.named_parameters()
            if parameter.requires_grad
        }
        return [name for name in self.parameters() if name in with_gradient]

    def put(self, own: State):
        """Put a client's layers into the model; the first, if it has none."""
        copy_state(own or self.first, self.model.state_dict())

    def take(self) -> State:
        """A copy of what the model has in their places."""
        state = self.model.state_dict()
        return clone_state(
            {key: state[key]
             for key in state if key in self.names}, self.device)


def find_personal(model: nn.Module,
                  patterns: Union[str, Sequence[str]]) -> List[str]:
    """Names of the entries of a model's state dict that patterns mean.

    See :class:`PersonalLayers`.
    """
    names = list(model.state_dict())
    if patterns == NORM:
        prefixes = tuple(f'{name}.' for name, module in model.named_modules()
                         if isinstance(module, NORM_TYPES))
        found = [name for name in names if name.startswith(prefixes)]
        if not found:
            raise ConfigError(FIELD, 'the model has no normalisation layers',
                              'leave it out')
        return found
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ConfigError(
                FIELD, f'{pattern!r} fits no entry of the model',
                f'they are called like {names[0]} and {names[-1]}')
    found = [
        name for name in names
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    ]
    if len(found) == len(names):
        raise ConfigError(FIELD, 'nothing is left to be averaged',
                          'keep some entries shared')
    return found


def publish_personal(message_hub: MessageHub, federation: dict):
    """Leave the clients' layers of a checkpoint to who evaluates them.

    Those of narrower clients fit no wide model: they are left out.

    Args:
        message_hub (MessageHub): The runner's.
        federation (dict): What the checkpoint holds as ``federation``.
    """
    narrow = narrow_names(federation)
    message_hub.update_info(
        PERSONAL, {
            name: layers
            for name, layers in own_layers(federation).items()
            if name not in narrow
        },
        resumed=False)


def own_layers(federation: dict) -> Dict[str, State]:
    """The clients' layers by the names of a model without adapters.

    Args:
        federation (dict): See :func:`publish_personal`.

    Returns:
        dict[str, dict[str, Tensor]]: By name of the client; clients without
        are left out.
    """
    adapters = federation.get('adapters')
    return {
        name: merge({**adapters['state'], **state['personal']},
                    adapters['scale']) if adapters else state['personal']
        for name, state in federation['clients'].items() if state['personal']
    }


def narrow_names(federation: dict) -> Set[str]:
    """Names of the clients that hold parts of the model.

    Args:
        federation (dict): See :func:`publish_personal`.
    """
    return {
        row[0]
        for row in federation.get('identity', {}).get('clients', ())
        if 'width' in row
    }


def published_personal(message_hub: MessageHub) -> Dict[str, State]:
    """The clients' layers by name; none if none were published."""
    return message_hub.get_info(PERSONAL, {})
