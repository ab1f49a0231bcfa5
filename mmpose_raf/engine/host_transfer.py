"""Copies between a GPU and the host beside the training."""

from typing import Any

import torch
from mmengine.utils import apply_to
from torch import Tensor


class HostTransfer:
    """Moves states between a GPU and pinned host memory.

    Copies run on a stream of their own: neither the CPU nor the GPU's
    computation waits for them until :meth:`join` or :meth:`finish`. Scalars,
    such as the optimizer's step counters, stay where they are: torch keeps
    them on the CPU, where reading them costs nothing. On a CPU there is
    nothing to move.

    Args:
        device (torch.device): Where the model is.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self.stream = torch.cuda.Stream(
            device) if device.type == 'cuda' else None

    def to_host(self, tree: Any) -> Any:
        """Start to copy to the host; who reads it calls :meth:`finish`."""
        return self._move(tree, torch.device('cpu'))

    def to_device(self, tree: Any) -> Any:
        """Start to copy to the GPU; who computes with it calls :meth:`join`.
        """
        return self._move(tree, self.device)

    def _move(self, tree: Any, target: torch.device) -> Any:
        if self.stream is None:
            return tree
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
            return apply_to(
                tree, lambda value: isinstance(value, Tensor) and value.dim(),
                move)

    def join(self):
        """Let the GPU's computation wait for the copies so far."""
        if self.stream is not None:
            torch.cuda.current_stream(self.device).wait_stream(self.stream)

    def finish(self):
        """Wait for the copies so far."""
        if self.stream is not None:
            self.stream.synchronize()
