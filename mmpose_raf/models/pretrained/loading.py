"""Pretrained weights for RAFViT and for estimators built on it."""

from typing import Optional

import torch
from mmengine.logging import print_log
from torch import nn

from mmpose_raf.errors import ConfigError

from .checkpoint_file import FIELD, StateDict, read_num_heads
from .position_embedding import Grid, fit_position_embedding
from .vit_weights import PretrainedWeights, read_vit
from .weights_table import tabulate_weights


def is_pretrained(init_cfg: Optional[dict]) -> bool:
    """Whether an ``init_cfg`` asks for weights from a file."""
    return isinstance(init_cfg, dict) and init_cfg['type'] == 'Pretrained'


def load_pretrained_vit(model: nn.Module,
                        filename: str,
                        pos_embed_grid: Optional[Grid] = None):
    """Load pretrained weights into a :class:`RAFViT` and log what fitted.

    The names of MMPose's, mmpretrain's, timm's and Hugging Face transformers'
    ViTs are recognised, wherever they are in the file. A learned position
    embedding is interpolated, layer scale multiplied into the layers before
    it. A table of all weights that were taken, left, or are not in the file
    goes to the log. Of a whole model only the backbone is taken.

    The file does not tell the number of attention heads, which must be that
    of ``arch`` (a ``config.json`` beside it does, and is heeded), nor the
    padding of the patches: 2 in ViTPose, 0 elsewhere.

    Args:
        model (RAFViT): The backbone.
        filename (str): Path or URL of a ``.pth``, ``.bin`` or
            ``.safetensors`` file.
        pos_embed_grid (tuple[int, int], optional): Grid (H, W) of the file's
            position embedding, see :func:`fit_position_embedding`.

    Raises:
        ConfigError: If the file cannot be read, holds no plain ViT, or less
            than half of it fits the model, or less than half of the model is
            in the file.
    """
    weights = read_vit(filename)
    _check_num_heads(model, filename)
    _fit_position(model, weights, pos_embed_grid)
    _check_backbone_fits(model, weights.backbone, filename)
    _load(model, weights.backbone, weights.others, weights, filename)


def load_pretrained_estimator(model: nn.Module,
                              filename: str,
                              pos_embed_grid: Optional[Grid] = None):
    """Load a backbone and, where the file has one that fits, its head.

    As :func:`load_pretrained_vit`, which says what of the backbone has to
    fit. The head may have the names of MMPose, before or since 1.0, or of
    transformers' ViTPose.

    Args:
        model (BasePoseEstimator): A model whose backbone is a RAFViT.
        filename (str): See :func:`load_pretrained_vit`.
        pos_embed_grid (tuple[int, int], optional): As there.

    Raises:
        ConfigError: As there.
    """
    weights = read_vit(filename)
    _check_num_heads(model.backbone, filename)
    _fit_position(model.backbone, weights, pos_embed_grid)
    _check_backbone_fits(model.backbone, weights.backbone, filename)
    weights = weights._replace(remarks={
        f'backbone.{k}': v
        for k, v in weights.remarks.items()
    })
    backbone = {f'backbone.{k}': v for k, v in weights.backbone.items()}
    _load(model, {**backbone, **weights.others}, {}, weights, filename)


def _fit_position(model: nn.Module, weights: PretrainedWeights,
                  source_grid: Optional[Grid]):
    """Bring the position embedding to the model's grid, in place."""
    embedding = weights.backbone.get('pos_embed')
    if embedding is None or model.pos_embed is None:
        return
    fitted = fit_position_embedding(
        embedding,
        model.grid_of(model.img_size),
        num_extra=int(model.cls_token is not None),
        source_grid=source_grid,
        has_cls_token='cls_token' in weights.backbone)
    if fitted.shape != embedding.shape:
        weights.remarks['pos_embed'] = (
            f'{embedding.shape[1]} -> {fitted.shape[1]} tokens')
    weights.backbone['pos_embed'] = fitted


def _check_num_heads(model: nn.Module, filename: str):
    own, theirs = model.layers[0].attn.num_heads, read_num_heads(filename)
    if theirs not in (None, own):
        raise ConfigError(
            'model.backbone.arch',
            f'it has {own} attention heads, but the config.json beside '
            f'{filename} has {theirs}', f'give a dict with num_heads={theirs}')


def _check_backbone_fits(model: nn.Module, weights: StateDict, filename: str):
    """Refuse a file that is of another architecture."""
    own = model.state_dict()
    fitting = _fitting(weights, own)
    if 2 * len(fitting) >= max(len(weights), len(own)):
        return
    unused = [
        f'{key} {tuple(value.shape)}' for key, value in weights.items()
        if key not in fitting
    ]
    missing = sorted(set(own) - set(fitting))
    raise ConfigError(
        FIELD, f'only {len(fitting)} of the {len(weights)} weights in '
        f'{filename} fit the {len(own)} of the backbone (not used, for '
        f'example: {", ".join(unused[:3]) or "none"}; missing: '
        f'{", ".join(missing[:3]) or "none"})',
        'give a ViT of the same arch and patch_size')


def _fitting(weights: StateDict, own: StateDict) -> StateDict:
    return {
        key: weights[key]
        for key, value in own.items()
        if key in weights and weights[key].shape == value.shape
    }


@torch.no_grad()
def _load(model: nn.Module, weights: StateDict, others: StateDict,
          source: PretrainedWeights, filename: str):
    """Load what fits into the model, and log all the rest as well."""
    own = model.state_dict()
    taken = _fitting(weights, own)
    model.load_state_dict(taken, strict=False)
    left = {**weights, **others}
    for key in taken:
        del left[key]
    new = {key: value for key, value in own.items() if key not in taken}
    print_log(
        f'{len(taken)} of {len(own)} weights of {type(model).__name__} were '
        f'taken from {filename} ({source.source})\n' +
        tabulate_weights(taken, left, new, source.remarks),
        logger='current')
