"""Copies between a GPU and the host beside the training."""

from typing import Any, Callable, Optional

import torch
from mmengine.utils import apply_to
from torch import Tensor


class HostTransfer:
    """Moves states between the model's device and where they wait.

    Between a GPU and the host they wait in pinned memory, and copies run on a
    stream of their own: neither the CPU nor the GPU's computation waits for
    them until :meth:`join` or :meth:`finish`. Scalars, such as the
    optimizer's step counters, stay where they are: torch keeps them on the
    CPU, where reading them costs nothing. On other devices than CUDA's a copy
    is waited for.

    Pinned memory is torch's, which rounds each tensor up to a power of two
    and keeps it for the next time.

    Args:
        device (torch.device): Where the model is.
        waiting (torch.device): Where states wait; if it is the same,
            nothing is moved.
    """

    def __init__(self, device: torch.device, waiting: torch.device):
        self.device = device
        self.waiting = waiting
        is_beside = device.type == 'cuda' and waiting.type == 'cpu'
        self.stream = torch.cuda.Stream(device) if is_beside else None
        self._arrival: Optional[torch.cuda.Event] = None

    def store(self, tree: Any) -> Any:
        """Start to copy away; who reads the copy calls :meth:`finish`."""
        return self._move(tree, self.waiting)

    def fetch(self, tree: Any) -> Any:
        """Start to copy back; who computes with it calls :meth:`join`."""
        moved = self._move(tree, self.device)
        if self.stream is not None:
            self._arrival = self.stream.record_event()
        return moved

    def _move(self, tree: Any, target: torch.device) -> Any:
        if self.stream is None:
            return _apply_to_arrays(tree, lambda tensor: tensor.to(target))
        computing = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(computing)

        def move(tensor: Tensor) -> Tensor:
            # To the host this takes pinned memory, which torch keeps for the
            # next time. Memory of the GPU must not be given to others while
            # either stream still works on it.
            moved = tensor.to(target, non_blocking=True)
            for used in (tensor, moved):
                if used.is_cuda:
                    used.record_stream(self.stream)
                    used.record_stream(computing)
            return moved

        with torch.cuda.stream(self.stream):
            return _apply_to_arrays(tree, move)

    def join(self):
        """Let the GPU's computation wait for what was fetched last."""
        if self._arrival is not None:
            torch.cuda.current_stream(self.device).wait_event(self._arrival)

    def finish(self):
        """Wait for the copies so far."""
        if self.stream is not None:
            self.stream.synchronize()


def _apply_to_arrays(tree: Any, function: Callable[[Tensor], Tensor]) -> Any:
    return apply_to(
        tree, lambda value: isinstance(value, Tensor) and value.dim(),
        function)
