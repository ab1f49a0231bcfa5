"""Tensors in Flower's arrays: their bytes, without pickle."""

import math
from typing import Dict

import torch
from flwr.app import Array, ArrayRecord
from torch import Tensor

#: How the bytes are to be read: one element after the other, little-endian.
LAYOUT = 'raw.little-endian'
_DTYPES: Dict[str, torch.dtype] = {
    str(dtype).split('.')[1]: dtype
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16,
                  torch.int64, torch.int32, torch.int16, torch.int8,
                  torch.uint8, torch.bool)
}


class MessageError(ValueError):
    """A message that is not what it should be; says why."""


def pack_state(state: Dict[str, Tensor]) -> ArrayRecord:
    """Put named tensors into a record, with their dtypes and shapes."""
    return ArrayRecord({
        name: _pack(tensor.detach().cpu())
        for name, tensor in state.items()
    })


def unpack_state(record: ArrayRecord) -> Dict[str, Tensor]:
    """Take named tensors out of a record.

    Args:
        record (ArrayRecord): Of whatever sender: it is not trusted.

    Raises:
        MessageError: If an entry is not what :func:`pack_state` makes.
    """
    return {name: _unpack(name, array) for name, array in record.items()}


def _pack(tensor: Tensor) -> Array:
    data = tensor.contiguous().reshape(-1).view(torch.uint8)
    return Array(
        dtype=str(tensor.dtype).split('.')[1],
        shape=tuple(tensor.shape),
        stype=LAYOUT,
        data=data.numpy().tobytes())


def _unpack(name: str, array: Array) -> Tensor:
    dtype = _DTYPES.get(array.dtype)
    if array.stype != LAYOUT or dtype is None:
        raise MessageError(
            f'{name!r} has the unknown layout {array.stype} of {array.dtype}')
    if any(side < 0 for side in array.shape):
        raise MessageError(f'{name!r} has shape {array.shape}')
    size = math.prod(array.shape) * dtype.itemsize
    if len(array.data) != size:
        raise MessageError(
            f'{name!r} has {len(array.data)} bytes instead of {size}')
    if not size:
        return torch.empty(array.shape, dtype=dtype)
    # A copy: torch writes to its memory, and bytes must not change.
    return torch.frombuffer(
        bytearray(array.data), dtype=dtype).reshape(array.shape)
