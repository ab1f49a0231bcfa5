"""What a prediction costs."""

from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmpose_raf.sizes import Size
from .any_size import forward_once


def count_gflops(model: nn.Module, input_size: Size) -> float:
    """Count the floating point operations of one forward pass.

    Args:
        model (BasePoseEstimator): The model; backbone, neck and head count.
        input_size (tuple[int, int]): Size (w, h) of the input in pixels.

    Returns:
        float: Operations for one person in 10^9, where a multiplication and
        an addition are two; no flip test. Torch counts matrix products,
        convolutions and attention. MMEngine's ``get_model_complexity_info``,
        which MMPose's ``get_flops.py`` prints, counts multiply-adds: half.
    """
    with FlopCounterMode(display=False) as counter:
        forward_once(model, input_size)
    return counter.get_total_flops() / 1e9
