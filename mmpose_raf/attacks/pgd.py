"""Images changed a little so that a model fails: PGD."""

from contextlib import contextmanager
from typing import Iterator, List, Sequence

import torch
from torch import Tensor, nn

from mmpose_raf.federation.arguments import check_count, check_positive
from mmpose_raf.models.evaluation_mode import in_evaluation_mode

#: Values of a pixel.
LOWEST, HIGHEST = 0., 255.


class PGD:
    """Projected gradient descent on images (Madry et al., ICLR 2018, arXiv
    1706.06083).

    From x_0 = x + u, u uniform in [-eps, eps], go ``steps`` times

        x_{t+1} = Pi(x_t + step_size sign(grad_x L(x_t))),

    where L is the training loss with the right labels, at the images' own
    size, as they are predicted, and Pi projects on the images within eps of
    x, pixel by pixel, whose values lie in [0, 255].

    The model is in evaluation mode meanwhile (as in TRADES, Zhang et al.,
    ICML 2019): its buffers stay as they are, and no path is dropped. Neither
    weights nor their gradients change.

    Args:
        eps (float): How far a value of a pixel may move, of 255, > 0.
        step_size (float): Length of a step in the same unit, > 0.
        steps (int): How many, >= 1.
    """

    def __init__(self, eps: float, step_size: float, steps: int):
        check_positive(eps, 'eps')
        check_positive(step_size, 'step_size')
        check_count(steps, 'steps')
        self.eps = eps
        self.step_size = step_size
        self.steps = steps

    def attack(self, model: nn.Module, images: Tensor,
               data_samples: Sequence) -> Tensor:
        """Change images against a model.

        Args:
            model (nn.Module): The pose estimator, not wrapped.
            images (Tensor): In shape (B, 3, H, W), float, before the
                ``data_preprocessor``: in [0, 255].
            data_samples (list[:obj:`PoseDataSample`]): Their labels.

        Returns:
            Tensor: The changed images, likewise.
        """
        low = (images - self.eps).clamp_(min=LOWEST)
        high = (images + self.eps).clamp_(max=HIGHEST)

        def project(moved: Tensor) -> Tensor:
            return torch.minimum(torch.maximum(moved, low), high)

        start = torch.empty_like(images).uniform_(-self.eps, self.eps)
        moved = project(images + start)
        with in_evaluation_mode(model), at_own_size(
                model), torch.enable_grad():
            for _ in range(self.steps):
                moved.requires_grad_()
                loss = loss_of(model, moved, data_samples)
                gradient, = torch.autograd.grad(loss, moved)
                moved = project(moved.detach() +
                                self.step_size * gradient.sign())
        return moved


@contextmanager
def at_own_size(model: nn.Module) -> Iterator[None]:
    """Have a model's loss be that of the images at their own size.

    A step against another level of the ladder, of which ``levels='one'``
    draws one each time, does the prediction little harm.

    Args:
        model (nn.Module): The pose estimator, with a ladder or without.
    """
    ladder = getattr(model, 'ladder', None)
    if not ladder:
        yield
        return
    model.ladder = []
    try:
        yield
    finally:
        model.ladder = ladder


def images_of(batch: dict, model: nn.Module) -> Tensor:
    """The images of a batch as a new tensor (B, 3, H, W), float, on the
    model's device; they must be of one size."""
    images = batch['inputs']
    if not isinstance(images, Tensor):
        images = torch.stack(list(images))
    device = next(model.parameters()).device
    return images.to(device, torch.float32, copy=True)


def loss_of(model: nn.Module, images: Tensor, data_samples: List) -> Tensor:
    """Training loss of images (B, 3, H, W) as they are before the
    ``data_preprocessor``, a scalar."""
    data = model.data_preprocessor(
        dict(inputs=images, data_samples=data_samples), training=False)
    # Not the model's __call__: what a local objective adds there, with
    # hooks, is no part of the loss of the images.
    losses = model.loss(data['inputs'], data['data_samples'])
    return model.parse_losses(losses)[0]
