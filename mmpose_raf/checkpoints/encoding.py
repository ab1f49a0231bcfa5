"""Checkpoints as tensors and plain values.

Reading a pickle can run any code. PyTorch reads a checkpoint safely
(``weights_only``) if it holds nothing but tensors and plain values, which
MMEngine's checkpoints do not keep to: the message hub holds
:class:`~mmengine.logging.HistoryBuffer`, the dataset's metainfo numpy arrays.
Here such objects become plain values, and themselves again.
"""

import logging
from collections import OrderedDict, deque
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Tuple

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log

# A dictionary with this key stands for an object of the kind it names.
_KIND = '__mmpose_raf__'
_LEFT_OUT = object()
# What PyTorch's safe unpickler takes besides containers and tensors. That of
# 2.1 takes neither sets, bytes, complex numbers nor devices.
_STAYS = (type(None), bool, int, float, str, torch.Size, torch.dtype)


def encode(checkpoint: Any) -> Any:
    """Turn a checkpoint into one of tensors and plain values.

    Tensors are shared, not copied. Numpy arrays, HistoryBuffers, deques,
    sets, bytes, complex numbers, devices, paths and dictionaries with other
    than plain keys become dictionaries that :func:`decode` turns back.
    Numpy scalars become Python's, and subclasses of plain types, such as
    named tuples, the plain type. What is none of this is left out, or
    replaced by None in a sequence, with a warning that names its place.

    Args:
        checkpoint (Any): A checkpoint, or any part of one. It is not changed.

    Returns:
        Any: What ``torch.load(..., weights_only=True)`` reads back.
    """
    encoder = _Encoder()
    encoded = encoder.encode(checkpoint, '')
    if encoder.left_out:
        print_log(
            'Left out of the checkpoint, and missing after --resume, as they '
            'are neither tensors nor plain values: '
            f'{", ".join(encoder.left_out)}',
            logger='current',
            level=logging.WARNING)
    return None if encoded is _LEFT_OUT else encoded


def decode(checkpoint: Any) -> Any:
    """Restore what :func:`encode` has turned into plain values.

    Args:
        checkpoint (Any): An encoded checkpoint. One that never was encoded
            comes back equal, in new containers.

    Returns:
        Any: The checkpoint that was encoded.

    Raises:
        ValueError: If it holds a kind of object that is not known here. A
            damaged encoding may also raise TypeError or LookupError.
    """
    return _Decoder().decode(checkpoint)


# -- kinds of objects --------------------------------------------------------


class _Kind(NamedTuple):
    """How objects of a class are written.

    ``pack`` takes one apart into named values, which are encoded in turn;
    ``unpack`` puts it together from them.
    """
    cls: type
    pack: Callable[[Any], Dict[str, Any]]
    unpack: Callable[..., Any]


def _pack_array(array: np.ndarray) -> Dict[str, Any]:
    order = 'F' if array.flags.fnc else 'C'
    if array.dtype == object:
        data = array.ravel(order).tolist()
    else:
        # Bytes, not a tensor of the same dtype: PyTorch has no strings,
        # dates, records or foreign byte orders.
        data = torch.from_numpy(
            np.frombuffer(array.tobytes(order), np.uint8).copy())
    return dict(
        dtype=np.lib.format.dtype_to_descr(array.dtype),
        shape=array.shape,
        order=order,
        data=data)


def _unpack_array(dtype: Any, shape: Tuple[int], order: str,
                  data: Any) -> np.ndarray:
    dtype = np.lib.format.descr_to_dtype(dtype)
    if dtype == object:
        flat = np.empty(len(data), object)
        for i, item in enumerate(data):
            flat[i] = item
    else:
        flat = np.frombuffer(data.cpu().numpy().tobytes(), dtype)
    return flat.reshape(shape, order=order).copy('K')


_KINDS = dict(
    array=_Kind(np.ndarray, _pack_array, _unpack_array),
    history_buffer=_Kind(
        HistoryBuffer, lambda x: dict(
            log_history=x.data[0],
            count_history=x.data[1],
            max_length=x.max_length), HistoryBuffer),
    deque=_Kind(
        deque, lambda x: dict(iterable=list(x), maxlen=x.maxlen),
        lambda iterable, maxlen: deque(iterable, maxlen)),
    set=_Kind(set, lambda x: dict(items=list(x)), lambda items: set(items)),
    frozenset=_Kind(
        frozenset, lambda x: dict(items=list(x)),
        lambda items: frozenset(items)),
    bytes=_Kind(
        bytes, lambda x: dict(text=x.decode('latin-1')),
        lambda text: text.encode('latin-1')),
    bytearray=_Kind(
        bytearray, lambda x: dict(text=x.decode('latin-1')),
        lambda text: bytearray(text, 'latin-1')),
    complex=_Kind(
        complex, lambda x: dict(real=x.real, imag=x.imag), complex),
    device=_Kind(
        torch.device, lambda x: dict(name=str(x)),
        lambda name: torch.device(name)),
    path=_Kind(Path, lambda x: dict(path=str(x)), lambda path: Path(path)),
    # Written by _Encoder, for dictionaries whose keys are not all plain.
    dict=_Kind(
        dict, dict, lambda pairs, ordered: OrderedDict(pairs)
        if ordered else dict(pairs)))

# What remains of an instance of a subclass, e.g. of a member of an IntEnum.
_PLAIN_BASES = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
}


# -- encoding ----------------------------------------------------------------


class _Encoder:
    """Encodes one checkpoint.

    Attributes:
        left_out (List[str]): Places and types of what could not be encoded,
            e.g. ``message_hub.runtime_info.scorer (Scorer)``.
    """

    def __init__(self):
        self.left_out: List[str] = []
        # What was shared stays shared: MMEngine compares the pickles of
        # metainfo, and they show it. The objects are held on to, lest an id
        # be used again.
        self._encoded: Dict[int, Tuple[Any, Any]] = {}

    def encode(self, value: Any, place: str) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if type(value) in _STAYS:
            return value
        if id(value) not in self._encoded:
            self._encoded[id(value)] = value, self._encode(value, place)
        encoded = self._encoded[id(value)][1]
        if encoded is _LEFT_OUT:
            self.left_out.append(f'{place} ({type(value).__name__})')
        return encoded

    def _encode(self, value: Any, place: str) -> Any:
        if isinstance(value, torch.Tensor):
            return _plain_tensor(value)
        if isinstance(value, dict):
            return self._encode_dict(value, place)
        if isinstance(value, (list, tuple)):
            items = self._encode_items(value, place)
            return items if isinstance(value, list) else tuple(items)
        if isinstance(value, np.ndarray) and not _is_packable(value):
            return _LEFT_OUT
        for name, kind in _KINDS.items():
            if isinstance(value, kind.cls):
                parts = kind.pack(value)
                items = self._encode_items(parts.values(), place)
                return {_KIND: name, **dict(zip(parts, items))}
        for cls, convert in _PLAIN_BASES.items():
            if isinstance(value, cls):
                return convert(value)
        return _LEFT_OUT

    def _encode_items(self, values: Iterable, place: str) -> list:
        items = []
        for i, value in enumerate(values):
            item = self.encode(value, f'{place}[{i}]')
            items.append(None if item is _LEFT_OUT else item)
        return items

    def _encode_dict(self, value: dict, place: str) -> dict:
        pairs = []
        for key, item in value.items():
            inner = f'{place}.{key}' if place else f'{key}'
            key, item = self.encode(key, inner), self.encode(item, inner)
            if key is not _LEFT_OUT and item is not _LEFT_OUT:
                pairs.append((key, item))
        ordered = isinstance(value, OrderedDict)
        if not all(_is_plain_key(key) for key, _ in pairs):
            return {_KIND: 'dict', 'pairs': pairs, 'ordered': ordered}
        encoded = OrderedDict(pairs) if ordered else dict(pairs)
        if ordered:
            # The versions of a state dict's modules are its attribute.
            vars(encoded).update(self._encode_dict(vars(value), place))
        return encoded


def _plain_tensor(tensor: torch.Tensor) -> torch.Tensor:
    plain = type(tensor) in (torch.Tensor, torch.nn.Parameter)
    if plain and not vars(tensor):
        return tensor
    return tensor.detach().as_subclass(torch.Tensor)


def _is_packable(array: np.ndarray) -> bool:
    # Subclasses have more to them than values, as masked arrays. Of arrays
    # that refer to objects, those of plain objects are supported.
    return type(array) is np.ndarray and (array.dtype == object
                                          or not array.dtype.hasobject)


def _is_plain_key(key: Any) -> bool:
    if type(key) is tuple:
        return all(_is_plain_key(part) for part in key)
    return type(key) in _STAYS and key != _KIND


class _Decoder:
    """Decodes one checkpoint."""

    def __init__(self):
        self._decoded: Dict[int, Any] = {}

    def decode(self, value: Any) -> Any:
        if type(value) not in (dict, OrderedDict, list, tuple):
            return value
        if id(value) not in self._decoded:
            self._decoded[id(value)] = self._decode(value)
        return self._decoded[id(value)]

    def _decode(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)([self.decode(item) for item in value])
        decoded = type(value)(
            (key, self.decode(item)) for key, item in value.items())
        if isinstance(value, OrderedDict):
            vars(decoded).update(self.decode(vars(value)))
        if _KIND not in decoded:
            return decoded
        name = decoded.pop(_KIND)
        if name not in _KINDS:
            raise ValueError(f'unknown kind of object {name!r}')
        return _KINDS[name].unpack(**decoded)
