"""Tensors in Flower's arrays: their bytes, without pickle.

All tensors of a state travel in one array. Flower sends every array in
requests of its own, and a model has hundreds of tensors, most of them small.
"""

import json
import math
from typing import Dict, List

import torch
from flwr.app import Array, ArrayRecord
from torch import Tensor

#: A head of JSON, which lists name, dtype and shape of each tensor, a line
#: feed, and the bytes of all, little-endian, one after the other.
LAYOUT = 'tensors.little-endian'
_ENTRY = 'tensors'
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
    head = [[name, str(tensor.dtype).split('.')[1], list(tensor.shape)]
            for name, tensor in state.items()]
    data = b'\n'.join([
        json.dumps(head).encode(),
        b''.join(_bytes_of(tensor) for tensor in state.values())
    ])
    return ArrayRecord({
        _ENTRY:
        Array(dtype='uint8', shape=(len(data), ), stype=LAYOUT, data=data)
    })


def unpack_state(record: ArrayRecord) -> Dict[str, Tensor]:
    """Take named tensors out of a record.

    Args:
        record (ArrayRecord): Of whatever sender: it is not trusted.

    Raises:
        MessageError: If it is not what :func:`pack_state` makes.
    """
    array = record.get(_ENTRY)
    if len(record) != 1 or array is None or array.stype != LAYOUT:
        raise MessageError('its tensors have an unknown layout')
    head, feed, data = array.data.partition(b'\n')
    entries = _read_head(head)
    wanted = sum(_size(*entry) for entry in entries)
    if not feed or len(data) != wanted:
        raise MessageError(f'its tensors have {len(data)} bytes instead of '
                           f'{wanted}')
    state, start = {}, 0
    for name, dtype, shape in entries:
        end = start + _size(name, dtype, shape)
        state[name] = _tensor_of(data[start:end], _DTYPES[dtype], shape)
        start = end
    if len(state) != len(entries):
        raise MessageError('a name stands twice among its tensors')
    return state


def _bytes_of(tensor: Tensor) -> bytes:
    plain = tensor.detach().cpu().contiguous().reshape(-1)
    return plain.view(torch.uint8).numpy().tobytes()


def _tensor_of(data: bytes, dtype: torch.dtype, shape: List[int]) -> Tensor:
    if not data:
        try:
            return torch.empty(shape, dtype=dtype)
        except (OverflowError, RuntimeError, TypeError):
            raise MessageError(f'a tensor has shape {shape}') from None
    # A copy: torch writes to its memory, and bytes must not change.
    return torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape)


def _read_head(head: bytes) -> list:
    try:
        entries = json.loads(head)
    except (ValueError, RecursionError):
        raise MessageError('its tensors have no head') from None
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise MessageError('the head of its tensors is malformed')
    return entries


def _is_entry(entry) -> bool:
    return isinstance(entry, list) and len(entry) == 3 and isinstance(
        entry[0], str) and isinstance(
            entry[1], str) and entry[1] in _DTYPES and isinstance(
                entry[2], list) and all(
                    type(side) is int and side >= 0 for side in entry[2])


def _size(name: str, dtype: str, shape: List[int]) -> int:
    return math.prod(shape) * _DTYPES[dtype].itemsize
