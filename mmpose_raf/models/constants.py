"""Small constants where they are needed."""

from functools import lru_cache, wraps
from typing import Callable, Iterable, Tuple

import torch
from torch import Tensor

# torch 2.1, which has no such function, is not used to compile.
is_compiling = getattr(torch.compiler, 'is_compiling', lambda: False)


def made_once(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Remember what a function makes of hashable arguments.

    What it returns is shared between calls and must not be written to. A
    graph of ``torch.compile`` makes it itself, together with what needs it.
    """

    @lru_cache(maxsize=256)
    def remembered(*args) -> Tensor:
        # A tensor first made under inference mode could never train
        # afterwards.
        with torch.inference_mode(False), torch.no_grad():
            return function(*args)

    @wraps(function)
    def call(*args) -> Tensor:
        if is_compiling():
            return function(*args)
        return remembered(*args)

    return call


def constant_like(values: Iterable[float], like: Tensor) -> Tensor:
    """Numbers as a tensor, made where another one lies.

    ``like.new_tensor(values)`` would copy them from memory that is not
    pinned, at each call: a CPU that runs ahead of its GPU would wait there
    until the GPU has done all that it was given.

    Args:
        values (Iterable[float]): The N numbers.
        like (Tensor): Gives data type and device.

    Returns:
        Tensor: The numbers in shape (N, ), shared between calls: it must not
        be written to.
    """
    return _constant(tuple(map(float, values)), like.dtype, like.device)


@made_once
def _constant(values: Tuple[float, ...], dtype: torch.dtype,
              device: torch.device) -> Tensor:
    return torch.stack([
        torch.full((), value, dtype=dtype, device=device) for value in values
    ])
