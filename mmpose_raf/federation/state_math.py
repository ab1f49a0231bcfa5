"""Arithmetic on state dicts: the one place where it is done."""

import math
from typing import Callable, Dict, List, Sequence, Tuple

import torch
from torch import Tensor

State = Dict[str, Tensor]


def clone_state(state: State, device: torch.device) -> State:
    """Copy a state dict to a device, never aliasing the original."""
    return {
        key: value.detach().to(device, copy=True)
        for key, value in state.items()
    }


def copy_state(source: State, target: State):
    """Overwrite tensors of one state dict by those of another, in place.

    Args:
        source (dict[str, Tensor]): Where from.
        target (dict[str, Tensor]): Where to, with the same keys and shapes.
    """
    with torch.no_grad():
        torch._foreach_copy_([target[key].detach() for key in source],
                             list(source.values()))


def average_states(states: Sequence[State], weights: Sequence[float]) -> State:
    """Weighted mean of state dicts.

    Floating-point tensors are averaged, in float32 if they are of half
    precision. Integers and booleans are counters and flags, such as
    BatchNorm's ``num_batches_tracked``, of which a mean says nothing: the
    largest is taken.

    Args:
        states (list[dict[str, Tensor]]): States with the same keys and
            shapes.
        weights (list[float]): One weight each; they should sum to 1.

    Returns:
        dict[str, Tensor]: A new state of the same dtypes.
    """
    first = states[0]
    averaged = [key for key in first if first[key].is_floating_point()]
    mean = [_at_least_float32(first[key]) * weights[0] for key in averaged]
    for state, weight in zip(states[1:], weights[1:]):
        torch._foreach_add_(
            mean, [_at_least_float32(state[key]) for key in averaged],
            alpha=weight)
    return _with_counters(states, dict(zip(averaged, mean)))


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
    return {key: result[key].to(first[key].dtype) for key in first}


def move_states(states: Sequence[State], reference: State,
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


def state_norm(state: State) -> float:
    """L2 norm over all entries."""
    return torch.stack(torch._foreach_norm(list(
        state.values()))).norm().item()


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
    moved = move_states(states, reference, keys)
    norms = [state_norm(update) for update in moved]
    updates = [list(update.values()) for update in moved]
    total = [torch.zeros_like(tensor) for tensor in updates[0]]
    for update, norm in zip(updates, norms):
        torch._foreach_mul_(update, 1 / norm if norm else 0)
        torch._foreach_add_(total, update)
    others = sum(norm > 0 for norm in norms) - 1
    cosines = []
    for update, norm in zip(updates, norms):
        product = sum(
            torch.dot(a.flatten(), b.flatten())
            for a, b in zip(update, total)).item()
        is_known = others > 0 and norm > 0
        cosines.append((product - 1) / others if is_known else math.nan)
    return norms, cosines


def _at_least_float32(tensor: Tensor) -> Tensor:
    is_half = tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.float() if is_half else tensor
