"""Pretrained weights for :class:`RAFViT`: names, grids, and what was loaded.

Two namings are read: mmpretrain's, which RAFViT shares, and timm's, which the
MAE releases (He et al., arXiv 2111.06377) and the first ViTPose releases have.
"""

import math
import re
from typing import Dict, Optional, Tuple

import torch.nn as nn
from mmengine.logging import MMLogger
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from mmpose_raf.errors import ConfigError
from .position_encodings import resize_position_embedding

Grid = Tuple[int, int]
StateDict = Dict[str, Tensor]

# timm's name of a parameter -> mmpretrain's, the first match applies
TIMM_NAMES = ((r'^patch_embed\.proj\.', 'patch_embed.projection.'),
              (r'^blocks\.(\d+)\.norm([12])\.', r'layers.\1.ln\2.'),
              (r'^blocks\.(\d+)\.mlp\.fc1\.', r'layers.\1.ffn.layers.0.0.'),
              (r'^blocks\.(\d+)\.mlp\.fc2\.', r'layers.\1.ffn.layers.1.'),
              (r'^blocks\.(\d+)\.', r'layers.\1.'), (r'^norm\.', 'ln1.'))


def is_pretrained(init_cfg: Optional[dict]) -> bool:
    """Whether an ``init_cfg`` asks for weights from a file."""
    return isinstance(init_cfg, dict) and init_cfg['type'] == 'Pretrained'


def fit_position_embedding(embedding: Tensor,
                           grid: Grid,
                           num_extra: int,
                           source_grid: Optional[Grid] = None) -> Tensor:
    """Fit a checkpoint's position embedding to a model's grid.

    Args:
        embedding (Tensor): Embedding in shape (1, N, C), where N is the
            number of patches, or one more where a class token comes first.
        grid (tuple[int, int]): Grid (H, W) of the model.
        num_extra (int): 1 if the model has a class token, else 0. The
            embedding of a class token is dropped, or added as zeros.
        source_grid (tuple[int, int], optional): Grid (h, w) of the file. By
            default of the model's aspect ratio if there is one of this
            number of tokens, otherwise square.

    Returns:
        Tensor: Embedding in shape (1, num_extra + H * W, C).

    Raises:
        ConfigError: If the file's grid cannot be told or does not fit.
    """
    num_tokens = embedding.shape[1]
    if source_grid is None:
        source_grid = _guess_grid(num_tokens, grid)
    extra = num_tokens - source_grid[0] * source_grid[1]
    if extra not in (0, 1):
        raise ConfigError(
            'init_cfg.pos_embed_grid',
            f'the file has {num_tokens} position tokens, which a grid of '
            f'{source_grid[0]}x{source_grid[1]} (HxW) does not explain',
            'give the grid (H, W) of the pretrained model')
    patches = resize_position_embedding(embedding[:, extra:], source_grid,
                                        grid)
    if not num_extra:
        return patches
    padded = nn.functional.pad(patches, (0, 0, 1, 0))
    if extra:
        padded[:, :1] = embedding[:, :1]
    return padded


def _guess_grid(num_tokens: int, grid: Grid) -> Grid:
    divisor = math.gcd(*grid)
    for height, width in ((grid[0] // divisor, grid[1] // divisor), (1, 1)):
        for num_patches in (num_tokens, num_tokens - 1):
            scale = math.isqrt(num_patches // (height * width))
            if scale * scale * height * width == num_patches:
                return scale * height, scale * width
    raise ConfigError(
        'init_cfg.pos_embed_grid',
        f'the file has {num_tokens} position tokens: neither square nor of '
        f"the aspect ratio of the model's grid {grid[0]}x{grid[1]} (HxW)",
        'give the grid (H, W) of the pretrained model')


def convert_vit_names(state_dict: StateDict) -> StateDict:
    """Rename timm's parameters to mmpretrain's; others keep their name."""
    converted = {}
    for key, value in state_dict.items():
        for pattern, name in TIMM_NAMES:
            renamed = re.sub(pattern, name, key)
            if renamed != key:
                break
        converted[renamed] = value
    return converted


def _backbone_weights(checkpoint: dict) -> StateDict:
    """Take a ViT's weights out of the containers that releases use."""
    for container in ('state_dict', 'model', 'module'):
        if isinstance(checkpoint.get(container), dict):
            checkpoint = checkpoint[container]
    weights = {
        re.sub(r'^module\.', '', key): value
        for key, value in checkpoint.items() if isinstance(value, Tensor)
    }
    if any(key.startswith('backbone.') for key in weights):
        weights = {
            key[len('backbone.'):]: value
            for key, value in weights.items() if key.startswith('backbone.')
        }
    return convert_vit_names(weights)


def load_pretrained_vit(model: nn.Module,
                        filename: str,
                        pos_embed_grid: Optional[Grid] = None):
    """Load pretrained weights into a :class:`RAFViT` and log what fitted.

    Every key of the file that was not used, every parameter of the model that
    the file lacks and every key that was interpolated is logged. Of a whole
    model only the backbone counts.

    Args:
        model (RAFViT): The backbone.
        filename (str): A path or URL that MMEngine can load. The file may
            hold a whole model (keys with ``backbone.``) and may have timm's
            or mmpretrain's names.
        pos_embed_grid (tuple[int, int], optional): Grid (H, W) of the file's
            position embedding, see :func:`fit_position_embedding`.

    Raises:
        ConfigError: If less than half of the file fits the model, or less
            than half of the model is in the file.
    """
    weights = _backbone_weights(
        CheckpointLoader.load_checkpoint(filename, map_location='cpu'))
    own = model.state_dict()
    num_keys = len(weights)
    reshaped = []
    if 'pos_embed' in own and 'pos_embed' in weights:
        fitted = fit_position_embedding(
            weights['pos_embed'],
            model.grid_of(model.img_size),
            num_extra=int('cls_token' in own),
            source_grid=pos_embed_grid)
        if fitted.shape != weights['pos_embed'].shape:
            reshaped.append(f'pos_embed {tuple(weights["pos_embed"].shape)} '
                            f'-> {tuple(fitted.shape)}')
        weights['pos_embed'] = fitted

    fitting = {
        key: value
        for key, value in weights.items()
        if key in own and value.shape == own[key].shape
    }
    missing = sorted(set(own) - set(fitting))
    unused = [
        f'{key} {tuple(value.shape)}' for key, value in weights.items()
        if key not in fitting
    ]
    if 2 * len(fitting) < max(num_keys, len(own)):
        raise ConfigError(
            'init_cfg.checkpoint',
            f'only {len(fitting)} of the {num_keys} weights in {filename} fit '
            f'the {len(own)} of the backbone (not used, for example: '
            f'{", ".join(unused[:3]) or "none"}; missing: '
            f'{", ".join(missing[:3]) or "none"})',
            'give a ViT of the same arch and patch_size')
    model.load_state_dict(fitting, strict=False)

    logger = MMLogger.get_current_instance()
    logger.info(f'{len(fitting)} of {num_keys} weights of the backbone were '
                f'loaded from {filename}')
    for what, keys in (('interpolated', reshaped),
                       ('in the file but not used', unused),
                       ('not in the file, initialised anew', missing)):
        if keys:
            logger.warning(f'{what}: {", ".join(keys)}')
