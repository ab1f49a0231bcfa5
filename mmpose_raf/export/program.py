"""A model as a graph of ``torch.export``."""

import torch
from mmengine.utils import digit_version
from torch import Tensor
from torch.export import Dim, ExportedProgram

from mmpose_raf.errors import ConfigError
from mmpose_raf.sizes import Size
from .deployed_model import DeployedModel
from .input_sizes import max_height_of, multiple_of, training_sizes

# Limits that nobody will reach, but torch.export wants to know.
MAX_BATCH = 4096
MAX_WIDTH = 8192


def export_program(model: DeployedModel) -> ExportedProgram:
    """Trace a model for any batch, height and width.

    Sides are multiples of the patch, two at least; the height is limited by
    :func:`.input_sizes.max_height_of`.

    Args:
        model (DeployedModel): The model.

    Returns:
        ExportedProgram: What ``torch.export.save`` writes. Its module refuses
        inputs of other sizes.

    Raises:
        ConfigError: If torch is too old.
    """
    if digit_version(torch.__version__) < digit_version('2.6'):
        raise ConfigError('torch', f'got {torch.__version__}',
                          'export with torch 2.6 or later')
    multiple = multiple_of(model.estimator)
    highest = max_height_of(model.estimator)
    shape = {
        0: Dim('batch', min=1, max=MAX_BATCH),
        model.height_axis:
        multiple * Dim('rows', min=2, max=highest // multiple),
        model.height_axis + 1:
        multiple * Dim('columns', min=2, max=MAX_WIDTH // multiple),
    }
    # A batch of 1 would be taken for a constant.
    example = make_noise(model, training_sizes(model.estimator)[0], batch=2)
    with torch.no_grad():
        return torch.export.export(
            model, (example, ), dynamic_shapes=(shape, ))


def make_noise(model: DeployedModel, size: Size, batch: int) -> Tensor:
    """Images of noise, of a size (w, h), that a model takes."""
    width, height = size
    if model.normalize is None:
        return torch.randn(batch, 3, height, width)
    return torch.randint(256, (batch, height, width, 3), dtype=torch.uint8)
