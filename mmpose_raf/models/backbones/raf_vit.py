"""Vision Transformer of RAF: ViTPose's, at any input size."""

from typing import List, Optional, Sequence, Tuple, Union

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import FFN, PatchEmbed
from mmengine.model import BaseModule, ModuleList
from mmpose.registry import MODELS
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from mmpose_raf.models.pretrained import (fit_position_embedding,
                                          is_pretrained, load_pretrained_vit)
from mmpose_raf.sizes import is_size
from .position_encodings import (FourierPositionEncoding,
                                 GlobalPositionEncoding,
                                 LocalPositionEncoding,
                                 resize_position_embedding)

Grid = Tuple[int, int]

POSITION_ENCODINGS = ('gpe', 'fourier', 'ape')


class Attention(nn.Module):
    """Multi-head self-attention with an optional local position encoding.

    Args:
        embed_dims (int): Width C of the tokens.
        num_heads (int): Number of heads; divides C.
        lpe (bool): Whether LPE is added to the attention output.
    """

    def __init__(self, embed_dims: int, num_heads: int, lpe: bool):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(embed_dims, embed_dims * 3)
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.lpe = LocalPositionEncoding(embed_dims //
                                         num_heads) if lpe else None

    def forward(self, x: Tensor, grids: Sequence[Grid]) -> Tensor:
        """Attend, each level to itself.

        Args:
            x (Tensor): Tokens in shape (B, sum of E + H * W, C), level after
                level; the first E of each belong to no patch.
            grids (list[tuple[int, int]]): Number of patches (H, W) of each.

        Returns:
            Tensor: Tokens in the shape of ``x``.
        """
        lengths = lengths_of(x, grids)
        levels = [
            self._attend(qkv, grid)
            for qkv, grid in zip(self.qkv(x).split(lengths, 1), grids)
        ]
        return self.proj(levels[0] if len(levels) == 1 else torch.
                         cat(levels, 1))

    def _attend(self, qkv: Tensor, grid: Grid) -> Tensor:
        """Attention within one level, (B, E + H * W, 3 C) to (..., C)."""
        query, key, value = qkv.unflatten(
            -1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(query, key, value)
        out = out.transpose(1, 2).flatten(2)
        if self.lpe is not None:
            num_extra = qkv.shape[1] - grid[0] * grid[1]
            local = self.lpe(qkv[:, num_extra:, -out.shape[-1]:], grid)
            if num_extra:  # the class token has no place in the grid
                local = F.pad(local, (0, 0, num_extra, 0))
            out = out + local
        return out


def lengths_of(tokens: Tensor, grids: Sequence[Grid]) -> List[int]:
    """Number of tokens of each level, the same extra tokens in all."""
    patches = [height * width for height, width in grids]
    num_extra = (tokens.shape[1] - sum(patches)) // len(patches)
    return [count + num_extra for count in patches]


class LevelDropPath(nn.Module):
    """Stochastic depth, drawn for each sample and level.

    Args:
        drop_prob (float): Probability that a path is dropped, [0, 1).
    """

    def __init__(self, drop_prob: float):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        """Drop paths of tokens (B, N, C) of levels of these lengths."""
        if self.drop_prob == 0 or not self.training:
            return x
        keep = x.new_empty(len(x), len(lengths), 1).bernoulli_(
            1 - self.drop_prob) / (1 - self.drop_prob)
        if len(lengths) > 1:
            keep = torch.cat([
                keep[:, level:level + 1].expand(-1, length, -1)
                for level, length in enumerate(lengths)
            ], 1)
        return x * keep


class TransformerLayer(nn.Module):
    """Pre-norm transformer block, named as mmpretrain's.

    Args:
        embed_dims (int): Width C of the tokens.
        num_heads (int): Number of attention heads.
        feedforward_channels (int): Width of the MLP.
        drop_path (float): Probability of dropping a residual branch, [0, 1).
        lpe (bool): Whether the attention has a local position encoding.
    """

    def __init__(self, embed_dims: int, num_heads: int,
                 feedforward_channels: int, drop_path: float, lpe: bool):
        super().__init__()
        self.ln1 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.attn = Attention(embed_dims, num_heads, lpe)
        self.ln2 = nn.LayerNorm(embed_dims, eps=1e-6)
        self.ffn = FFN(
            embed_dims,
            feedforward_channels,
            act_cfg=dict(type='GELU'),
            add_identity=False)
        self.drop_path = LevelDropPath(drop_path)

    def forward(self, x: Tensor, grids: Sequence[Grid]) -> Tensor:
        """Transform tokens of levels with these grids, see Attention."""
        lengths = lengths_of(x, grids)
        x = x + self.drop_path(self.attn(self.ln1(x), grids), lengths)
        return x + self.drop_path(self.ffn(self.ln2(x)), lengths)


@MODELS.register_module()
class RAFViT(BaseModule):
    """ViTPose's backbone with position encodings that fit any input size.

    Plain ViT (Dosovitskiy et al., arXiv 2010.11929) in the form of ViTPose
    (Xu et al., arXiv 2204.12484), where global and local position encoding
    (GPE, LPE) take the place of the position embedding of fixed size (APE),
    as in RAF (arXiv 2507.23461). Parameters have the names of MMPose's
    released ViTPose checkpoints (mmpretrain's ``VisionTransformer``); new are
    only ``gpe.*`` and ``layers.{i}.attn.lpe.*``.

    Args:
        arch (str | dict): ``'small'``, ``'base'``, ``'large'`` or ``'huge'``
            (ViTPose's sizes; ``'small'`` is 384 wide, 12 deep, 12 heads,
            unlike mmpretrain's), or a dict with mmpretrain's keys
            ``embed_dims``, ``num_layers``, ``num_heads`` and
            ``feedforward_channels``. Defaults to ``'base'``.
        patch_size (int): Side of a patch in pixels; divides both sides of
            every input. Defaults to 16.
        patch_padding (int): Padding of the patch convolution in pixels, less
            than half a patch. Defaults to 2, ViTPose's.
        pos_embed (str): ``'gpe'``; ``'fourier'``, Fourier features in its
            place (:class:`FourierPositionEncoding`), which the configs use;
            or ``'ape'`` for the learned embedding, which is interpolated at
            other sizes (bicubic): the baseline. Defaults to ``'gpe'``.
        lpe (bool): Whether the attention has local position encodings.
            Defaults to True.
        img_size (tuple[int, int]): Input size (H, W) in pixels, as in
            ViTPose's configs, whose grid the learned embedding has. Without
            effect on GPE. Defaults to (256, 192).
        position_width (int, optional): Width of a wider model, of which this
            one is a part: GPE or Fourier features are then those of the
            channels of the wider one that the buffer ``gpe.held`` names.
            Defaults to None: it is nobody's part.
        with_cls_token (bool): Whether a class token attends. It gets a zero
            GPE and, after the last norm, is added to every patch token (the
            variant of RAF's authors). Defaults to False.
        drop_path_rate (float): Stochastic depth at the last block, rising
            linearly from 0 at the first, [0, 1). Defaults to 0.
        frozen_stages (int): 0 freezes the embeddings, n the first n blocks as
            well, all blocks the last norm too; -1 nothing. Defaults to -1.
        with_cp (bool): Whether blocks are checkpointed: less memory for more
            time in training. Defaults to False.
        init_cfg (dict, optional): ``dict(type='Pretrained',
            checkpoint=path_or_url)`` loads a ViT (ViTPose, MAE, DINO,
            DINOv2, ...) of MMPose, mmpretrain, timm or transformers, see
            :func:`load_pretrained_vit`. Takes ``pos_embed_grid=(H, W)``
            where the grid of the embedding in the file is neither square nor
            of this model's aspect ratio. Defaults to None.

    Raises:
        ValueError: If an argument is out of its range; at a forward pass, if
            an input's side is no multiple of ``patch_size``.
    """

    arch_zoo = dict(
        small=dict(
            embed_dims=384,
            num_layers=12,
            num_heads=12,
            feedforward_channels=1536),
        base=dict(
            embed_dims=768,
            num_layers=12,
            num_heads=12,
            feedforward_channels=3072),
        large=dict(
            embed_dims=1024,
            num_layers=24,
            num_heads=16,
            feedforward_channels=4096),
        huge=dict(
            embed_dims=1280,
            num_layers=32,
            num_heads=16,
            feedforward_channels=5120))

    #: Its forward pass takes several levels at once.
    takes_levels = True

    def __init__(self,
                 arch: Union[str, dict] = 'base',
                 patch_size: int = 16,
                 patch_padding: int = 2,
                 pos_embed: str = 'gpe',
                 lpe: bool = True,
                 img_size: Grid = (256, 192),
                 position_width: Optional[int] = None,
                 with_cls_token: bool = False,
                 drop_path_rate: float = 0.,
                 frozen_stages: int = -1,
                 with_cp: bool = False,
                 init_cfg: Optional[dict] = None):
        super().__init__(init_cfg)
        arch = self._parse_arch(arch)
        if pos_embed not in POSITION_ENCODINGS:
            raise ValueError(f'pos_embed must be one of {POSITION_ENCODINGS}, '
                             f'but got {pos_embed!r}')
        if not 0 <= 2 * patch_padding < patch_size:
            raise ValueError('patch_padding must be less than half of '
                             f'patch_size={patch_size}, but got '
                             f'{patch_padding}: the grid would grow')
        if not 0 <= drop_path_rate < 1:
            raise ValueError('drop_path_rate must lie in [0, 1), but got '
                             f'{drop_path_rate}')
        if not is_size(img_size):
            raise ValueError('img_size must be (H, W) in pixels, but got '
                             f'{img_size}')
        if not -1 <= frozen_stages <= arch['num_layers']:
            raise ValueError('frozen_stages must lie between -1 and '
                             f'{arch["num_layers"]}, the number of layers, '
                             f'but got {frozen_stages}')
        self.embed_dims = arch['embed_dims']
        self.patch_size = patch_size
        self.img_size = tuple(img_size)
        self.frozen_stages = frozen_stages
        self.with_cp = with_cp

        self.patch_embed = PatchEmbed(
            in_channels=3,
            embed_dims=self.embed_dims,
            kernel_size=patch_size,
            stride=patch_size,
            padding=patch_padding)
        self.cls_token = nn.Parameter(torch.zeros(
            1, 1, self.embed_dims)) if with_cls_token else None
        self.gpe = self.pos_embed = None
        if pos_embed == 'gpe':
            self.gpe = GlobalPositionEncoding(self.embed_dims, position_width)
        elif pos_embed == 'fourier':
            self.gpe = FourierPositionEncoding(self.embed_dims, position_width)
        else:
            grid = self.grid_of(self.img_size)
            self.pos_embed = nn.Parameter(
                torch.zeros(1, int(with_cls_token) + grid[0] * grid[1],
                            self.embed_dims))
        rates = torch.linspace(
            0, drop_path_rate, arch['num_layers'], device='cpu').tolist()
        self.layers = ModuleList([
            TransformerLayer(self.embed_dims, arch['num_heads'],
                             arch['feedforward_channels'], rate, lpe)
            for rate in rates
        ])
        self.ln1 = nn.LayerNorm(self.embed_dims, eps=1e-6)

        self._reset_parameters()
        self._freeze()
        self._register_load_state_dict_pre_hook(self._fit_pos_embed)

    @classmethod
    def _parse_arch(cls, arch: Union[str, dict]) -> dict:
        if isinstance(arch, str):
            if arch not in cls.arch_zoo:
                raise ValueError(f'arch must be one of {sorted(cls.arch_zoo)} '
                                 f'or a dict, but got {arch!r}')
            return cls.arch_zoo[arch]
        keys = set(cls.arch_zoo['base'])
        if set(arch) != keys:
            raise ValueError(f'arch must have the keys {sorted(keys)}, but '
                             f'got {sorted(arch)}')
        if not all(type(number) is int and number > 0
                   for number in arch.values()):
            raise ValueError('arch must hold integers of at least 1, but got '
                             f'{dict(arch)}')
        if arch['embed_dims'] % arch['num_heads']:
            raise ValueError(f"arch: num_heads={arch['num_heads']} must "
                             f"divide embed_dims={arch['embed_dims']}")
        return arch

    def grid_of(self, size: Grid) -> Grid:
        """Number of patches (H, W) of an input of size (H, W) in pixels.

        Raises:
            ValueError: If a side is no multiple of ``patch_size``.
        """
        if any(side <= 0 or side % self.patch_size for side in size):
            raise ValueError(
                f'input size {size[0]}x{size[1]} (HxW) must be a multiple of '
                f'patch_size={self.patch_size} in both sides')
        return size[0] // self.patch_size, size[1] // self.patch_size

    def _reset_parameters(self):
        """ViT's initialisation; the encodings have initialised themselves."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=.02)
                nn.init.zeros_(module.bias)
        # As mmpretrain and MAE do: as if the projection were a linear layer.
        nn.init.xavier_uniform_(self.patch_embed.projection.weight.flatten(1))
        for token in (self.cls_token, self.pos_embed):
            if token is not None:
                nn.init.trunc_normal_(token, std=.02)

    def init_weights(self):
        """Load the pretrained weights that ``init_cfg`` names, if any."""
        if not is_pretrained(self.init_cfg):
            super().init_weights()
            return
        if not self.is_init:
            load_pretrained_vit(self, self.init_cfg['checkpoint'],
                                self.init_cfg.get('pos_embed_grid'))
            self.is_init = True

    def _fit_pos_embed(self, state_dict: dict, prefix: str, *args):
        """Interpolate the embedding of a checkpoint of another size."""
        key = f'{prefix}pos_embed'
        if self.pos_embed is not None and key in state_dict:
            state_dict[key] = fit_position_embedding(
                state_dict[key], self.grid_of(self.img_size),
                num_extra=int(self.cls_token is not None))

    def _freeze(self):
        """Take what ``frozen_stages`` names out of training."""
        if self.frozen_stages < 0:
            return
        for token in (self.cls_token, self.pos_embed):
            if token is not None:
                token.requires_grad = False
        stages = [self.patch_embed, *self.layers[:self.frozen_stages]]
        if self.gpe is not None:
            stages.append(self.gpe)
        if self.frozen_stages == len(self.layers):
            stages.append(self.ln1)
        for stage in stages:
            stage.eval()
            stage.requires_grad_(False)

    def train(self, mode: bool = True):
        """Set the mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        if mode:
            self._freeze()
        return self

    def _embed(self, x: Tensor, grid: Grid) -> Tensor:
        """Patch tokens (and class token) with their position encoding."""
        tokens, _ = self.patch_embed(x)
        if self.gpe is not None:
            tokens = tokens + self.gpe(grid)
        if self.cls_token is not None:
            cls_token = self.cls_token.expand(len(x), -1, -1)
            tokens = torch.cat((cls_token.to(tokens.dtype), tokens), 1)
        if self.pos_embed is not None:
            tokens = tokens + resize_position_embedding(
                self.pos_embed, self.grid_of(self.img_size), grid)
        return tokens

    def forward(
        self, x: Union[Tensor, Sequence[Tensor]]
    ) -> Union[Tuple[Tensor], List[Tuple[Tensor]]]:
        """Extract features, of several sizes in one pass if wanted.

        What works on single tokens (norms, linear layers) sees the tokens of
        all levels at once: fewer and larger operations. Attention stays
        within a level, so that the features of each are those that it has
        alone; dropped paths are drawn for each level.

        Args:
            x (Tensor | list[Tensor]): Images in shape (B, 3, H, W), whose
                sides are multiples of ``patch_size``, or such images of
                several levels, of one B.

        Returns:
            tuple[Tensor] | list[tuple[Tensor]]: One feature map in shape
            (B, C, H / patch_size, W / patch_size), of each level.
        """
        if isinstance(x, Tensor):
            return self._extract([x])[0]
        return self._extract(x)

    def _extract(self, images: Sequence[Tensor]) -> List[Tuple[Tensor]]:
        """Features of all levels."""
        grids = [self.grid_of(tuple(x.shape[-2:])) for x in images]
        levels = [self._embed(x, grid) for x, grid in zip(images, grids)]
        tokens = levels[0] if len(levels) == 1 else torch.cat(levels, 1)
        for layer in self.layers:
            if self.with_cp and tokens.requires_grad:
                tokens = checkpoint(layer, tokens, grids, use_reentrant=False)
            else:
                tokens = layer(tokens, grids)
        tokens = self.ln1(tokens)
        return [(self._to_map(level, grid), ) for level, grid in zip(
            tokens.split(lengths_of(tokens, grids), 1), grids)]

    def _to_map(self, tokens: Tensor, grid: Grid) -> Tensor:
        """Tokens (B, E + H * W, C) as a map (B, C, H, W)."""
        if self.cls_token is not None:
            tokens = tokens[:, 1:] + tokens[:, :1]
        return tokens.transpose(1, 2).unflatten(2, grid)
