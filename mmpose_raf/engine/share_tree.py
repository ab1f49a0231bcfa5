"""Nested containers of tensors from one process to all."""

from dataclasses import dataclass
from typing import Any, List, Tuple

import torch
from mmengine.dist import broadcast, broadcast_object_list, get_rank
from mmengine.utils import apply_to


@dataclass
class _TensorSpec:
    """What stands for a tensor while a tree is sent."""

    shape: Tuple[int, ...]
    dtype: torch.dtype


def share_tree(tree: Any, source: int, device: torch.device) -> Any:
    """Send nested containers of tensors and plain values to all processes.

    Args:
        tree: What the sender has; ignored in all others.
        source (int): Rank of the sender.
        device (torch.device): Where the others want the tensors.

    Returns:
        The sender's tree.
    """
    is_sender = get_rank() == source
    tensors: List[torch.Tensor] = []

    def describe(tensor: torch.Tensor) -> _TensorSpec:
        tensors.append(tensor)
        return _TensorSpec(tuple(tensor.shape), tensor.dtype)

    sent = [
        apply_to(tree, lambda value: isinstance(value, torch.Tensor), describe)
        if is_sender else None
    ]
    broadcast_object_list(sent, source)
    if is_sender:
        for tensor in tensors:
            broadcast(tensor, source)
        return tree

    def receive(spec: _TensorSpec) -> torch.Tensor:
        tensor = torch.empty(spec.shape, dtype=spec.dtype, device=device)
        broadcast(tensor, source)
        return tensor

    return apply_to(sent[0], lambda value: isinstance(value, _TensorSpec),
                    receive)
