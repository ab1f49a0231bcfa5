"""What server and clients send each other: plain data, tensors and numbers.

The same messages serve clients of one process, of several, and of a network.
"""

from dataclasses import dataclass, field
from typing import Dict, List, Optional

import torch

from .state_math import State

#: Why an update is refused that holds NaN or infinity.
NOT_FINITE = 'not finite'


@dataclass
class FreshWeights:
    """Global weights that reach a client while it trains.

    Args:
        version (int): How often they had been renewed.
        state (dict[str, Tensor]): The weights and buffers.
    """

    version: int
    state: State


@dataclass
class TrainRequest:
    """What the server sends to a client: train from these weights.

    Args:
        client (str): Name of the client.
        number (int): How many trainings the server has asked of this client
            before. Order, augmentation and dropped paths follow from it.
        round (int): The round in which the server asks, counted from 0. The
            client's schedules follow from it.
        version (int): How often the global weights had been renewed.
        state (dict[str, Tensor]): The global weights and buffers, without
            layers that stay with the clients.
        download (dict[str, Tensor]): What the server's side of the local
            objective sends beside them. Defaults to nothing.
        fresh (FreshWeights, optional): What the server has sent later, see
            :class:`FreshModel`. Defaults to None.
    """

    client: str
    number: int
    round: int
    version: int
    state: State
    download: State = field(default_factory=dict)
    fresh: Optional[FreshWeights] = None


@dataclass
class ClientUpdate:
    """What a client sends to the server after its local epochs.

    Args:
        client (str): Name of the client.
        state (dict[str, Tensor]): The weights and buffers of its model, with
            the names, shapes and dtypes of ``TrainRequest.state``.
        num_samples (int): Number of samples the client holds.
        metrics (dict[str, float]): Means of what was logged in its training.
        parameters (list[str], optional): Entries of ``state`` that are
            trained by gradients; the others are buffers, which no server
            optimizer steps. Defaults to None: all of floating point.
        distributions (dict[str, list[float]]): How the client's samples are
            spread, as shares that add up to 1, by the name of what is
            counted: ``'resolution'`` or ``'keypoint'``.
        upload (dict[str, Tensor]): What the client's side of the local
            objective sends beside the weights.
        version (int): That of the request. Defaults to 0.
        staleness (int): How often the global weights have been renewed since
            that version; the server notes it. Defaults to 0.
    """

    client: str
    state: State
    num_samples: int
    metrics: Dict[str, float] = field(default_factory=dict)
    parameters: Optional[List[str]] = None
    distributions: Dict[str, List[float]] = field(default_factory=dict)
    upload: State = field(default_factory=dict)
    version: int = 0
    staleness: int = 0

    @property
    def parameter_names(self) -> List[str]:
        """list[str]: Names of the entries that are trained."""
        if self.parameters is not None:
            return self.parameters
        return [
            key for key, value in self.state.items()
            if value.is_floating_point()
        ]


def find_fault(update: ClientUpdate, sent: State) -> Optional[str]:
    """Why an update cannot be used, None if it can.

    Args:
        update (ClientUpdate): The update.
        sent (dict[str, Tensor]): The weights that the client was sent.
    """
    misfit = find_misfit(update.state, sent)
    if misfit:
        return misfit
    if not (is_finite(update.state) and is_finite(update.upload)):
        return NOT_FINITE
    return None


def find_misfit(state: State, like: State) -> Optional[str]:
    """What of names, shapes and dtypes is not as it should be; None if all is.

    Args:
        state (dict[str, Tensor]): What has come.
        like (dict[str, Tensor]): What should have; values do not count.
    """
    for key in like.keys() ^ state.keys():
        return f'{key!r} is ' + ('missing' if key in like else 'unknown')
    for key, value in like.items():
        got = state[key]
        if (got.shape, got.dtype) != (value.shape, value.dtype):
            return (f'{key!r} has shape {tuple(got.shape)} and {got.dtype} '
                    f'instead of {tuple(value.shape)} and {value.dtype}')
    return None


def is_finite(state: State) -> bool:
    """Whether a state holds neither NaN nor infinity."""
    tensors = [
        value for value in state.values() if value.is_floating_point()
    ]

    def has_finite_norms(order: float) -> bool:
        # One answer for all: each would be waited for.
        norms = torch._foreach_norm(tensors, ord=order)
        return bool(torch.stack([norm.float() for norm in norms])
                    .isfinite().all())

    # The sum of squares is the fastest to compute. Finite weights may make it
    # overflow, which the largest value does not.
    return not tensors or has_finite_norms(2) or has_finite_norms(torch.inf)
