"""Low-rank adapters of a Vision Transformer."""

import copy
import math
from typing import Dict, Set

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mmpose_raf.errors import ConfigError
from mmpose_raf.registry import ADAPTERS
from .backbones.position_encodings import LocalPositionEncoding, PartOfWider
from .backbones.raf_vit import TransformerLayer

State = Dict[str, Tensor]
_INNER = '.parametrizations.weight'
_FACTORS = ('lora_a', 'lora_b')


class LowRankUpdate(nn.Module):
    """W + scale B A, the parametrization of an adapted weight.

    Args:
        weight (Tensor): W in shape (out, in).
        rank (int): Rank r of the update.
        scale (float): Its factor.
        generator (torch.Generator): Draws A (r, in), uniformly in
            +-1/sqrt(in); B (out, r) is zero, and so is the first update.
    """

    def __init__(self, weight: Tensor, rank: int, scale: float,
                 generator: torch.Generator):
        super().__init__()
        self.scale = scale
        bound = 1 / math.sqrt(weight.shape[1])
        first = torch.empty(rank, weight.shape[1]).uniform_(
            -bound, bound, generator=generator)
        self.lora_a = nn.Parameter(first.to(weight))
        self.lora_b = nn.Parameter(weight.new_zeros(weight.shape[0], rank))

    def forward(self, weight: Tensor) -> Tensor:
        """The adapted weight, in shape (out, in)."""
        return torch.addmm(
            weight, self.lora_b, self.lora_a, alpha=self.scale)


@ADAPTERS.register_module()
class LoRA:
    """LoRA (Hu et al., ICLR 2022, arXiv 2106.09685) for federations.

    Of each transformer block the weights of queries, keys and values, of the
    projection and of the MLP are W + alpha/r B A. A and B are trained, and
    with them, whole, the head and the position encodings. All else is frozen
    and never sent.

    The server averages what is sent, so A and B each by itself, as FedIT
    (Zhang et al., ICASSP 2024, arXiv 2305.05644): the product of the means
    is not the mean of the products. With ``freeze_a`` the clients share one
    fixed random A and train B alone, whose mean gives exactly the mean of
    the products, for half of the bytes: FFA-LoRA (Sun et al., ICLR 2024,
    arXiv 2403.12313).

    Args:
        rank (int): Rank r, >= 1. Defaults to 8.
        alpha (float): Strength of the update, > 0. Defaults to 16.
        freeze_a (bool): Whether B alone is trained. Defaults to False.
    """

    def __init__(self,
                 rank: int = 8,
                 alpha: float = 16.,
                 freeze_a: bool = False):
        if type(rank) is not int or rank < 1:
            raise ValueError(f'rank must be an integer of at least 1, but '
                             f'got {rank!r}')
        if not 0 < alpha < math.inf:
            raise ValueError(f'alpha must be a number > 0, but got {alpha!r}')
        self.rank = rank
        self.alpha = alpha
        self.freeze_a = freeze_a

    def adapt(self, model: nn.Module, seed: int) -> 'AdaptedModel':
        """Adapt a copy of a model.

        Args:
            model (nn.Module): A pose estimator with a :class:`RAFViT`; it is
                left alone.
            seed (int): Seed of the first A.

        Raises:
            ConfigError: If the model has no transformer blocks, or they are
                those of a random network.
        """
        model = copy.deepcopy(model)
        generator = torch.Generator().manual_seed(seed)
        model.requires_grad_(False)
        linears = [
            layer for block in model.modules()
            if isinstance(block, TransformerLayer)
            for layer in block.modules() if isinstance(layer, nn.Linear)
        ]
        if not linears:
            raise ConfigError('federation.adapters',
                              'the model has no transformer blocks',
                              'use a RAFViT, or leave it out')
        if any(map(parametrize.is_parametrized, linears)):
            raise ConfigError('federation.adapters',
                              'the weights are a part of a random network',
                              'use RAFPoseEstimator, or leave it out')
        for layer in linears:
            update = LowRankUpdate(layer.weight, self.rank,
                                   self.alpha / self.rank, generator)
            update.lora_a.requires_grad_(not self.freeze_a)
            # Without a look at what it makes of the weight.
            parametrize.register_parametrization(
                layer, 'weight', update, unsafe=True)
        for module in model.modules():
            if isinstance(module, (PartOfWider, LocalPositionEncoding)):
                module.requires_grad_(True)
        if getattr(model.backbone, 'pos_embed', None) is not None:
            model.backbone.pos_embed.requires_grad_(True)
        model.head.requires_grad_(True)
        return AdaptedModel(model)


class AdaptedModel:
    """A model with adapters, and its way to one without.

    Args:
        model (nn.Module): The adapted model.
    """

    def __init__(self, model: nn.Module):
        self.model = model

    @property
    def scale(self) -> float:
        """float: Factor of the updates B A."""
        return next(module.scale for module in self.model.modules()
                    if isinstance(module, LowRankUpdate))

    def merge_into(self, plain: nn.Module):
        """Give a model without adapters the same weights, in place."""
        merged = merge(self.model.state_dict(), self.scale)
        with torch.no_grad():
            for name, value in plain.state_dict().items():
                value.copy_(merged[name])

    def state_dict(self) -> dict:
        """What a merged model does not tell, on the CPU.

        Returns:
            dict: ``state``, frozen weights and factors by their names, and
            ``scale``.
        """
        return dict(
            scale=self.scale,
            state={
                name: value.cpu()
                for name, value in self.model.state_dict().items()
                if _INNER in name
            })

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
        state = self.model.state_dict()
        with torch.no_grad():
            for name, value in state_dict['state'].items():
                state[name].copy_(value)


def unsent_entries(model: nn.Module) -> Set[str]:
    """Entries of an adapted model that are frozen, the same for all clients.

    Args:
        model (nn.Module): Any model; one without adapters has none.
    """
    if not any(
            isinstance(module, LowRankUpdate) for module in model.modules()):
        return set()
    sent = {
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    return {
        name
        for name in model.state_dict()
        if name not in sent and not name.startswith('head.')
    }


def merge(state: State, scale: float) -> State:
    """The state of a model without adapters that computes the same.

    Args:
        state (dict[str, Tensor]): Some or all entries of an adapted one; of
            an adapted weight all three.
        scale (float): Factor of the updates.

    Returns:
        dict[str, Tensor]: By their standard names.
    """
    merged = {}
    for name, value in state.items():
        if name.endswith(_FACTORS):
            continue
        layer, inner, _ = name.partition(f'{_INNER}.original')
        if inner:
            a, b = (state[f'{layer}{_INNER}.0.{factor}']
                    for factor in _FACTORS)
            name, value = f'{layer}.weight', torch.addmm(
                value, b, a, alpha=scale)
        merged[name] = value
    return merged
