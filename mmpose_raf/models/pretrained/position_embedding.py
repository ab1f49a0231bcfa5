"""Learned position embeddings of checkpoints, fitted to a grid of patches."""

import math
from typing import Optional, Tuple

from torch import Tensor, nn

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.backbones.position_encodings import \
    resize_position_embedding

Grid = Tuple[int, int]


def fit_position_embedding(embedding: Tensor,
                           grid: Grid,
                           num_extra: int,
                           source_grid: Optional[Grid] = None,
                           has_cls_token: bool = True) -> Tensor:
    """Fit a checkpoint's position embedding to a model's grid.

    Args:
        embedding (Tensor): Embedding in shape (1, N, C), where N is the
            number of patches, or one more with an extra token first.
        grid (tuple[int, int]): Grid (H, W) of the model.
        num_extra (int): 1 if the model has a class token, else 0. The
            embedding of a class token is dropped, or added as zeros.
        source_grid (tuple[int, int], optional): Grid (h, w) of the file. By
            default of the model's aspect ratio if there is one of this
            number of tokens, otherwise square.
        has_cls_token (bool): Whether the extra token is that of a class
            token in the file. If not, it is added to all patches, as
            ViTPose does. Defaults to True.

    Returns:
        Tensor: Embedding in shape (1, num_extra + H * W, C).

    Raises:
        ConfigError: If the file's grid cannot be told or does not fit.
    """
    num_tokens = embedding.shape[1]
    if source_grid is None:
        source_grid = guess_grid(num_tokens, grid)
    extra = num_tokens - source_grid[0] * source_grid[1]
    if extra not in (0, 1):
        raise ConfigError(
            'init_cfg.pos_embed_grid',
            f'the file has {num_tokens} position tokens, which a grid of '
            f'{source_grid[0]}x{source_grid[1]} (HxW) does not explain',
            'give the grid (H, W) of the pretrained model')
    patches = resize_position_embedding(embedding[:, extra:], source_grid,
                                        grid)
    if extra and not has_cls_token:
        patches = patches + embedding[:, :1]
    if not num_extra:
        return patches
    padded = nn.functional.pad(patches, (0, 0, 1, 0))
    if extra and has_cls_token:
        padded[:, :1] = embedding[:, :1]
    return padded


def guess_grid(num_tokens: int, grid: Grid) -> Grid:
    """The grid of a number of tokens, see :func:`fit_position_embedding`."""
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
