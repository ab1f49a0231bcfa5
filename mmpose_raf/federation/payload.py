"""In how many bytes weights and updates travel."""

from typing import Collection, List, Tuple

import torch
from torch import Tensor

from .arguments import check_choice
from .state_math import State, add_states, displacements, on_meta

KINDS = ('float32', 'float16', 'bfloat16', 'int8')
# Ends the name under which the scales of an entry travel. Names of modules
# have no slash.
SCALE = '/scale'


class Payload:
    """Codec of what server and clients send each other.

    With ``'float32'`` weights travel as they are. Otherwise the server sends
    rounded weights v_t = R(w_t), and a client that has come from there to w_i
    sends R(w_i - v_t), which the server adds to its own w_t. So the error of
    an update is relative to the update, not to the weights, and what R takes
    from w_t is lost for one training only. R is

    - ``'bfloat16'``: the nearest such number, |R(x) - x| <= 2^-8 |x|;
    - ``'float16'``: the nearest such multiple of a power of two, which the
      largest value of the row sets, so that nothing overflows: |R(x) - x| <=
      2^-11 |x|, or 2^-39 of that largest value;
    - ``'int8'``: the nearest of 255 steps from -m to m with m the largest
      value of the row, |R(x) - x| <= m / 254. Weights go down as
      ``'float16'``, for a client has nothing that it could add a difference
      to.

    A row is an output channel of a linear layer or a convolution, or a whole
    vector; its scale travels beside it in float32. Rounding is to the
    nearest: nothing is drawn, and simulation and deployment agree to the bit.

    Buffers, parameters in another precision than float32, and what a local
    objective sends beside the weights travel as they are.

    Args:
        kind (str): One of the four. Defaults to ``'float32'``.
        parameters (list[str]): Names of the parameters among the entries of
            a state; the others are buffers. Defaults to none.

    Raises:
        FederationError: If there is no such kind.
    """

    def __init__(self,
                 kind: str = 'float32',
                 parameters: Collection[str] = ()):
        check_choice(kind, KINDS, 'kind')
        self.kind = kind
        self.parameters = frozenset(parameters)

    @property
    def is_exact(self) -> bool:
        """bool: Whether all travels as it is."""
        return self.kind == 'float32'

    def pack_weights(self, state: State) -> State:
        """Global weights as they travel.

        Args:
            state (dict[str, Tensor]): The weights and buffers. On the meta
                device the result tells names, shapes and dtypes alone.
        """
        return self._pack(state, 'float16' if self.kind == 'int8' else
                          self.kind)

    def unpack_weights(self, packed: State, like: State) -> State:
        """Global weights as a client reads them.

        Args:
            packed (dict[str, Tensor]): As they have travelled.
            like (dict[str, Tensor]): A state of the same names, shapes and
                dtypes as what was packed.
        """
        unpacked = self._unpack(packed, like)
        if not unpacked:
            return packed
        return {key: unpacked.get(key, packed[key]) for key in like}

    def pack_update(self, state: State, start: State) -> State:
        """A client's weights as they travel.

        Args:
            state (dict[str, Tensor]): What it has trained.
            start (dict[str, Tensor]): What it has trained from, as it has
                read it.
        """
        names = self._names(start)
        if not names:
            return state
        way, = displacements([state], start, names)
        return self._pack({**state, **way}, self.kind)

    def unpack_update(self, packed: State, start: State) -> State:
        """A client's weights as a server reads them.

        Args:
            packed (dict[str, Tensor]): As they have travelled, in the
                :meth:`layout` of ``start``.
            start (dict[str, Tensor]): The server's weights, of which the
                client was sent the rounded ones.
        """
        way = self._unpack(packed, start)
        if not way:
            return packed
        moved = add_states(start, way)
        return {
            key: moved[key] if key in way else packed[key]
            for key in start
        }

    def layout(self, start: State) -> State:
        """Names, shapes and dtypes of an update as it travels.

        Args:
            start (dict[str, Tensor]): See :meth:`unpack_update`.

        Returns:
            dict[str, Tensor]: Tensors on the meta device.
        """
        return self._pack(on_meta(start), self.kind)

    def _names(self, state: State) -> List[str]:
        """Entries that do not travel as they are."""
        return [] if self.is_exact else [
            key for key, value in state.items() if key in self.parameters
            and value.dtype == torch.float32 and value.numel()
        ]

    def _pack(self, state: State, kind: str) -> State:
        names = self._names(state)
        if not names:
            return state
        packed = dict(state)
        for key in names:
            if kind == 'bfloat16':
                packed[key] = state[key].bfloat16()
            else:
                packed[key], packed[key + SCALE] = _quantize(state[key], kind)
        return packed

    def _unpack(self, packed: State, like: State) -> State:
        """What was packed, and nothing else."""
        return {
            key: packed[key].float() if self.kind == 'bfloat16' else
            _rows(packed[key].float()).mul(packed[key + SCALE]).reshape(
                packed[key].shape)
            for key in self._names(like)
        }


def _quantize(value: Tensor, kind: str) -> Tuple[Tensor, Tensor]:
    """Codes of a tensor in its shape, and the scales (R, 1) of its rows."""
    rows = _rows(value)
    largest = rows.abs().amax(1, keepdim=True)
    if kind == 'int8':
        scale = largest / 127
        # 0 / 0 where all are zero
        codes = (rows / scale).round().where(scale > 0, 0.).to(torch.int8)
    else:
        # So that the largest comes to lie in [2^14, 2^15).
        exponent = largest.frexp().exponent - 15
        scale = torch.ones_like(largest).ldexp(exponent.clamp(min=-126))
        codes = (rows / scale).half()
    return codes.reshape(value.shape), scale


def _rows(value: Tensor) -> Tensor:
    """A tensor in shape (R, N): (N, ) is one row."""
    return value.reshape(len(value) if value.dim() > 1 else 1, -1)
