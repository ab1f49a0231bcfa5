"""Copies between a GPU and the host beside the training."""

from typing import Any, Callable, Optional, Union

import torch
from mmengine.utils import apply_to
from torch import Tensor


class HostTransfer:
    """Moves moments between the model's device and where they wait.

    Scalars, such as the optimizer's step counters, stay where they are: torch
    keeps them on the CPU, where reading them costs nothing.

    Args:
        device (torch.device): Where the model is.
        waiting (torch.device): Where moments wait; if it is the same, nothing
            is moved.
        overlap (bool): Whether copies between a GPU and the host run on a
            stream of their own, through torch's pinned memory, which rounds
            each tensor up to a power of two and keeps it for the next time.
            Neither the CPU nor the GPU's computation waits for them until
            :meth:`join` or :meth:`finish`. Defaults to False.
    """

    def __init__(self,
                 device: torch.device,
                 waiting: torch.device,
                 overlap: bool = False):
        self.device = device
        self.waiting = waiting
        is_beside = device.type == 'cuda' and waiting.type == 'cpu'
        self.stream = torch.cuda.Stream(
            device) if overlap and is_beside else None
        self._arrival: Optional[torch.cuda.Event] = None

    def store(self, tree: Any) -> Any:
        """Start to copy away; who reads the copy calls :meth:`finish`."""
        return self._transfer(tree, self.waiting)

    def fetch(self, tree: Any) -> Any:
        """Start to copy back; who computes with it calls :meth:`join`."""
        fetched = self._transfer(tree, self.device)
        if self.stream is not None:
            self._arrival = self.stream.record_event()
        return fetched

    def _transfer(self, tree: Any, target: torch.device) -> Any:
        if self.stream is None:
            return _apply_to_arrays(tree, lambda tensor: tensor.to(target))
        computing = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(computing)

        def transfer(tensor: Tensor) -> Tensor:
            # Memory of the GPU must not be given to others while either
            # stream still works on it.
            copied = tensor.to(target, non_blocking=True)
            for used in (tensor, copied):
                if used.is_cuda:
                    used.record_stream(self.stream)
                    used.record_stream(computing)
            return copied

        with torch.cuda.stream(self.stream):
            return _apply_to_arrays(tree, transfer)

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


def to_device(tree: Any, device: Union[str, torch.device]) -> Any:
    """Move all tensors of nested containers to a device."""
    return apply_to(tree, lambda value: isinstance(value, Tensor),
                    lambda value: value.to(device))
