"""A trigger that is sought in a model: mask and pattern."""

import torch
from torch import Tensor

#: Where a mask begins, before the sigmoid: 0.12 of the pattern shows.
FIRST_MASK = -2.


class Trigger:
    """What is put on images: x' = (1 - m) x + m p (Neural Cleanse, Wang et
    al., IEEE S&P 2019), mask m in (0, 1), one for all channels, pattern p in
    (0, 255). Both are sigmoids of what Adam moves.

    Args:
        images (Tensor): Images (B, 3, H, W), whose size and device it gets.
            The pattern is drawn from torch's global generator.
        lr (float): Adam's learning rate.
    """

    def __init__(self, images: Tensor, lr: float):
        height, width = images.shape[2:]
        self._mask = images.new_full((1, 1, height, width),
                                     FIRST_MASK).requires_grad_()
        self._pattern = torch.randn_like(images[:1]).requires_grad_()
        self._optimizer = torch.optim.Adam([self._mask, self._pattern], lr=lr)

    @property
    def mask(self) -> Tensor:
        """Tensor: m, in shape (1, 1, H, W)."""
        return self._mask.sigmoid()

    def stamp(self, images: Tensor) -> Tensor:
        """Put it on images (B, 3, H, W)."""
        return torch.lerp(images, 255 * self._pattern.sigmoid(), self.mask)

    def descend(self, loss: Tensor):
        """Go a step down a loss, and touch no other tensor's gradient."""
        moved = [self._mask, self._pattern]
        for tensor, gradient in zip(moved, torch.autograd.grad(loss, moved)):
            tensor.grad = gradient
        self._optimizer.step()
