"""What a prediction costs."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .view import Size


def count_gflops(model: nn.Module, input_size: Size) -> float:
    """Count the floating point operations of one forward pass.

    Args:
        model (BasePoseEstimator): The model; backbone, neck and head count.
        input_size (tuple[int, int]): Size (w, h) of the input in pixels.

    Returns:
        float: Operations for one person in 10^9, where a multiplication and
        an addition are two; no flip test. Torch counts matrix products,
        convolutions and attention.
    """
    width, height = input_size
    weight = next(model.parameters())
    image = weight.new_zeros(1, 3, height, width)
    was_training = model.training
    model.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.head.forward(model.extract_feat(image))
    model.train(was_training)
    return counter.get_total_flops() / 1e9
