"""The weights of a file, as RAFViT and its head take them."""

import re
from typing import Dict, NamedTuple

import torch

from mmpose_raf.errors import ConfigError

from .checkpoint_file import FIELD, StateDict, read_weights
from .vit_names import HEAD_RULES, find_foreign_part, find_vit, rename

# Layer scale -> the linear layer whose output it multiplies.
SCALED = dict(scale1='attn.proj', scale2='ffn.layers.1')


class PretrainedWeights(NamedTuple):
    """Weights of a file in the names of RAFViT.

    ``source`` says which library's and whose names the file has; ``others``
    belong to no ViT, under the names of the file without what precedes all;
    ``remarks`` tell what was done to a weight, by its name in ``backbone``.
    """
    source: str
    backbone: StateDict
    others: StateDict
    remarks: Dict[str, str]


def read_vit(filename: str) -> PretrainedWeights:
    """Read a Vision Transformer of MMPose, mmpretrain, timm or transformers.

    Args:
        filename (str): See :func:`.checkpoint_file.read_weights`.

    Raises:
        ConfigError: If the file cannot be read or holds no such model, or
            one that computes what RAFViT does not.
    """
    weights = read_weights(filename)
    place = find_vit(weights)
    if place is None:
        raise ConfigError(
            FIELD, f'{filename} holds no ViT with the names of MMPose, '
            'mmpretrain, timm or transformers (its weights, for example: '
            f'{", ".join(list(weights)[:3]) or "none"})', 'give another file')
    backbone, others = {}, {}
    for name, value in weights.items():
        if value.is_floating_point():  # of files in half precision
            value = value.float()
        if name.startswith(place.prefix):
            backbone[name[len(place.prefix):]] = value
        else:
            others[rename(name.removeprefix(place.root), HEAD_RULES)] = value
    foreign = find_foreign_part(backbone)
    if foreign is not None:
        raise ConfigError(
            FIELD, f'the ViT in {filename} has {foreign}, which RAFViT '
            'lacks', 'give a plain ViT')
    backbone = {
        rename(name, place.naming.rules): value
        for name, value in backbone.items()
    }
    remarks = {**_join_qkv(backbone), **_fold_layer_scale(backbone)}
    prefix = f' below {place.prefix[:-1]}' if place.prefix else ''
    return PretrainedWeights(f'names of {place.naming.library}{prefix}',
                             backbone, others, remarks)


def _join_qkv(weights: StateDict) -> Dict[str, str]:
    """Put queries, keys and values into one layer; return remarks."""
    remarks = {}
    for name in list(weights):
        layer, found, kind = name.partition('.attn.query.')
        parts = [f'{layer}.attn.{part}.{kind}' for part in ('key', 'value')]
        if found and all(part in weights for part in parts):
            joined = f'{layer}.attn.qkv.{kind}'
            weights[joined] = torch.cat(
                [weights.pop(part) for part in (name, *parts)])
            remarks[joined] = 'of query, key and value'
    return remarks


def _fold_layer_scale(weights: StateDict) -> Dict[str, str]:
    """Multiply layer scale into the layer before it; return remarks.

    gamma (W x + b) = (gamma W) x + gamma b: the function stays the same. In
    training the scale is no parameter of its own any more.
    """
    remarks = {}
    for name in list(weights):
        match = re.fullmatch(r'(layers\.\d+)\.(scale[12])', name)
        if match is None:
            continue
        layer = f'{match[1]}.{SCALED[match[2]]}'
        scale = weights.pop(name)
        for kind, factor in (('weight', scale[:, None]), ('bias', scale)):
            if f'{layer}.{kind}' in weights:
                weights[f'{layer}.{kind}'] *= factor
                remarks[f'{layer}.{kind}'] = 'times layer scale'
    return remarks
