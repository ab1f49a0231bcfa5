"""bfloat16: MMPose's ``to_numpy`` gives float32."""

import functools
from types import ModuleType

from .finders import AfterImport
from .replacing import replace_everywhere


def close() -> None:
    """Mend ``to_numpy`` when its module is imported."""
    AfterImport('mmpose.utils.tensor_utils', _accept_bfloat16).install()


def _accept_bfloat16(module: ModuleType) -> None:
    import torch
    to_numpy = module.to_numpy
    try:
        to_numpy(torch.zeros(1, dtype=torch.bfloat16))
        return
    except TypeError:  # numpy has no bfloat16
        pass

    # Sequences need no care: the original calls itself, by its name, on each
    # tensor, and the name is this function's from now on.
    @functools.wraps(to_numpy)
    def to_numpy_float(x, *args, **kwargs):
        if isinstance(x, torch.Tensor) and x.dtype == torch.bfloat16:
            x = x.float()
        return to_numpy(x, *args, **kwargs)

    replace_everywhere(to_numpy, to_numpy_float)
