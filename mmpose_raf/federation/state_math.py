"""Arithmetic on state dicts: the one place where it is done."""

import math
from contextlib import contextmanager
from functools import reduce
from typing import (Callable, Dict, Iterator, List, Optional, Sequence,
                    Tuple, Union)

import torch
from torch import Tensor

State = Dict[str, Tensor]
# Of a whole state, or of each of its entries.
Weight = Union[float, Dict[str, float]]


def clone_state(state: State,
                device: Optional[torch.device] = None) -> State:
    """Copy a state dict, never aliasing the original.

    Args:
        state (dict[str, Tensor]): The original.
        device (torch.device, optional): Where to. Defaults to None: where
            each entry is.
    """
    return {
        key: value.detach().to(device, copy=True)
        for key, value in state.items()
    }


def put_state(state: State, device: torch.device) -> State:
    """The state on a device; entries that are there are not copied."""
    return {key: value.detach().to(device) for key, value in state.items()}


def on_meta(state: State) -> State:
    """Names, shapes and dtypes of a state, without values."""
    return {key: value.to('meta') for key, value in state.items()}


def copy_state(source: State, target: State):
    """Overwrite tensors of one state dict by those of another, in place.

    Args:
        source (dict[str, Tensor]): Where from.
        target (dict[str, Tensor]): Where to, with the same keys and shapes.
    """
    if not source:  # which torch refuses
        return
    with torch.no_grad():
        torch._foreach_copy_([target[key].detach() for key in source],
                             list(source.values()))


@contextmanager
def entries_replaced(state: State, entries: State) -> Iterator[None]:
    """While open, some tensors of a state dict have other values.

    Args:
        state (dict[str, Tensor]): Changed in place, and changed back.
        entries (dict[str, Tensor]): The other values of some entries.
    """
    kept = clone_state({key: state[key] for key in entries})
    copy_state(entries, state)
    try:
        yield
    finally:
        copy_state(kept, state)


def average_states(states: Sequence[State],
                   weights: Sequence[Weight]) -> State:
    """Weighted mean of state dicts.

    Floating-point tensors are averaged, in float32 if they are of half
    precision. Integers and booleans are counters and flags, such as
    BatchNorm's ``num_batches_tracked``, of which a mean says nothing: the
    largest is taken.

    Args:
        states (list[dict[str, Tensor]]): States with the same keys and
            shapes.
        weights (list[float] | list[dict[str, float]]): One weight each, or
            one for each floating-point entry of it; in a mean they sum to 1
            over the states.

    Returns:
        dict[str, Tensor]: A new state of the same dtypes.
    """
    first = states[0]
    mean = {}
    for keys in _groups(first):
        total = None
        for state, weight in zip(states, weights):
            tensors = [_at_least_float32(state[key]) for key in keys]
            if isinstance(weight, dict):
                tensors = torch._foreach_mul(tensors,
                                             [weight[key] for key in keys])
                weight = 1.
            if total is None:
                total = torch._foreach_mul(tensors, weight)
            else:
                torch._foreach_add_(total, tensors, alpha=weight)
        mean.update(zip(keys, total))
    return _with_counters(states, mean)


def _groups(state: State,
            keys: Optional[Sequence[str]] = None) -> List[List[str]]:
    """Floating-point entries that are worked on together.

    On a GPU all of them, in few kernels. On a CPU one after the other, so
    that what is computed from an entry stays in the cache until it is used.
    """
    if keys is None:
        keys = [key for key in state if state[key].is_floating_point()]
    if any(state[key].is_cuda for key in keys):
        return [list(keys)]
    return [[key] for key in keys]


def fold_state(mean: State, state: State, share: float):
    """Let one more state into a running mean, (1 - share) mean + share state.

    Args:
        mean (dict[str, Tensor]): The mean so far, changed in place; of
            floating-point entries in float32 at least, see
            :func:`start_mean`. Integers and booleans become the largest, as
            in :func:`average_states`.
        state (dict[str, Tensor]): What is let in, with the same keys, on any
            device.
        share (float): Its weight as a share of all weights so far, in
            (0, 1].
    """
    averaged = [key for key in mean if mean[key].is_floating_point()]
    torch._foreach_lerp_([mean[key] for key in averaged],
                         [state[key].to(mean[key]) for key in averaged],
                         share)
    for key in mean.keys() - set(averaged):
        torch.maximum(mean[key], state[key].to(mean[key]), out=mean[key])


def start_mean(state: State) -> State:
    """A running mean of one state, in float32 at least, see
    :func:`fold_state`."""
    return clone_state(
        {key: _at_least_float32(value)
         for key, value in state.items()})


def cast_state(state: State, like: State) -> State:
    """The state in the dtypes of another."""
    return {key: value.to(like[key].dtype) for key, value in state.items()}


def merge_states(states: Sequence[State],
                 merge: Callable[[Tensor], Tensor]) -> State:
    """Merge state dicts coordinate by coordinate.

    Args:
        states (list[dict[str, Tensor]]): States with the same keys and
            shapes.
        merge (callable): From the stacked values (N, ...) of an entry, in
            float32 if they are of half precision, to (...). Integers and
            booleans are treated as in :func:`average_states`.

    Returns:
        dict[str, Tensor]: A new state of the same dtypes.
    """
    merged = {
        key: merge(
            torch.stack([_at_least_float32(state[key]) for state in states]))
        for key, value in states[0].items() if value.is_floating_point()
    }
    return _with_counters(states, merged)


def _with_counters(states: Sequence[State], result: State) -> State:
    """Complete a state by its counters, in the first state's dtypes."""
    first = states[0]
    for key in first:
        if key not in result:
            stacked = torch.stack([state[key] for state in states])
            result[key] = stacked.amax(0)
    return cast_state({key: result[key] for key in first}, first)


def displacements(states: Sequence[State], reference: State,
                keys: Sequence[str]) -> List[State]:
    """How far states have moved, w_k - w.

    Args:
        states (list[dict[str, Tensor]]): Where each went, w_k.
        reference (dict[str, Tensor]): What all started from, w.
        keys (list[str]): The entries that count, of floating point.

    Returns:
        list[dict[str, Tensor]]: New states of these entries, in float32 if
        they are of half precision.
    """
    start = [_at_least_float32(reference[key]) for key in keys]
    return [
        dict(
            zip(
                keys,
                torch._foreach_sub(
                    [_at_least_float32(state[key]) for key in keys], start)))
        for state in states
    ]


def add_states(state: State, other: State, scale: float = 1.) -> State:
    """state + scale * other, on the entries of ``other``.

    Args:
        state (dict[str, Tensor]): Any state; entries that ``other`` lacks
            are taken over.
        other (dict[str, Tensor]): What is added.
        scale (float): Factor of it. Defaults to 1.

    Returns:
        dict[str, Tensor]: A new state of the dtypes of ``state``.
    """
    keys = list(other)
    summed = torch._foreach_add(
        [_at_least_float32(state[key]) for key in keys],
        list(other.values()),
        alpha=scale)
    moved = {
        key: value.to(state[key].dtype)
        for key, value in zip(keys, summed)
    }
    return {**state, **moved}


def scale_state(state: State, factor: float) -> State:
    """factor * state, a new state."""
    return dict(zip(state, torch._foreach_mul(list(state.values()), factor)))


def map_states(function: Callable[..., Tensor], *states: State) -> State:
    """Apply a function entry by entry to states of the same keys."""
    return {
        key: function(*(state[key] for state in states))
        for key in states[0]
    }


def state_bytes(state: State) -> int:
    """Size of all entries in bytes."""
    return sum(value.numel() * value.element_size()
               for value in state.values())


def state_norm(state: State) -> float:
    """L2 norm over all entries."""
    return torch.stack(torch._foreach_norm(list(
        state.values()))).norm().item()


def dot_states(state: State, other: State) -> float:
    """Inner product of two states over the entries of the first.

    Args:
        state (dict[str, Tensor]): Floating-point entries that count.
        other (dict[str, Tensor]): Entries of the same shapes; more are
            ignored.

    Returns:
        float: The sum of the products, in float32 if they are of half
        precision.
    """
    return sum(_dots(state, other))


def cosine_states(state: State, other: State) -> float:
    """Cosine of the angle between two states; 0 if one is zero."""
    norms = state_norm(state) * state_norm(other)
    return dot_states(state, other) / norms if norms else 0.


def cosines_by_entry(state: State, others: Sequence[State],
                     keys: Sequence[str]) -> List[Dict[str, float]]:
    """Cosine of the angle between entries of a state and those of others.

    Args:
        state (dict[str, Tensor]): The state that all are compared with.
        others (list[dict[str, Tensor]]): States of the same shapes.
        keys (list[str]): The entries that count, of floating point.

    Returns:
        list[dict[str, float]]: For each of the others the cosine of each
        entry; 0 where one of the two is zero.
    """
    base, base_norms = _entries_and_norms(state, keys)
    cosines = []
    for other in others:
        entries, norms = _entries_and_norms(other, keys)
        cosines.append({
            key: dot / (one * two) if one * two else 0.
            for key, dot, one, two in zip(keys, _dots(base, entries),
                                          base_norms, norms)
        })
    return cosines


def _entries_and_norms(state: State, keys: Sequence[str]):
    entries = {key: _at_least_float32(state[key]) for key in keys}
    norms = torch.stack(torch._foreach_norm(list(entries.values())))
    return entries, norms.tolist()


def _dots(state: State, other: State) -> List[float]:
    """Inner products entry by entry, brought to the CPU at once."""
    return torch.stack([
        torch.dot(
            _at_least_float32(value).flatten(),
            _at_least_float32(other[key]).flatten())
        for key, value in state.items()
    ]).tolist()


def squared_distances(states: Sequence[State]) -> Tensor:
    """Squared L2 distance between each two states, in shape (N, N)."""
    total = 0
    for key in states[0]:
        stacked = torch.stack([state[key].flatten() for state in states])
        # Not by the Gram matrix: near states would differ by its rounding.
        total = total + torch.cdist(
            stacked, stacked,
            compute_mode='donot_use_mm_for_euclid_dist').square()
    return total


def update_norms(reference: State, states: Sequence[State],
                 keys: Sequence[str]) -> List[float]:
    """Lengths of updates, ||w_k - w||, see :func:`compare_updates`."""
    # One way at a time: with many clients they would be as large as all
    # their weights.
    groups = _groups(reference, keys)
    return [
        math.hypot(*(state_norm(displacements([state], reference, group)[0])
                     for group in groups)) for state in states
    ]


def compare_updates(reference: State, states: Sequence[State],
                    keys: Sequence[str]) -> Tuple[List[float], List[float]]:
    """Lengths and directions of updates, w_k - w.

    The work grows with the number of states, not with its square: the mean
    cosine with the others is the dot product with the sum of their unit
    vectors.

    Args:
        reference (dict[str, Tensor]): What all started from, w.
        states (list[dict[str, Tensor]]): Where each went, w_k.
        keys (list[str]): The entries that count, e.g. the parameters.

    Returns:
        tuple[list[float], list[float]]: L2 norm of each update, and its mean
        cosine with those of the others that moved, in [-1, 1]; NaN if none
        did or the update is zero.
    """
    norms = update_norms(reference, states, keys)
    factors = [1 / norm if norm else 0. for norm in norms]

    # Each is computed twice rather than kept, see update_norms.
    def unit_ways(group: List[str]) -> Iterator[State]:
        for state, factor in zip(states, factors):
            way, = displacements([state], reference, group)
            yield scale_state(way, factor)

    products = [0.] * len(states)
    for group in _groups(reference, keys):
        total = reduce(add_states, unit_ways(group))
        for index, way in enumerate(unit_ways(group)):
            products[index] += dot_states(way, total)
    others = sum(norm > 0 for norm in norms) - 1
    return norms, [(product - 1) / others if others > 0 and norm else math.nan
                   for product, norm in zip(products, norms)]


def _at_least_float32(tensor: Tensor) -> Tensor:
    is_half = tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.float() if is_half else tensor
