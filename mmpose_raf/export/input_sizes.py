"""Which inputs an exported model takes."""

from typing import List, Sequence

from torch import nn

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.ladder import check_backbone_takes
from mmpose_raf.sizes import Size, size_name

# Backbones of MMPose halve an image five times.
MULTIPLE = 32


def multiple_of(model: nn.Module) -> int:
    """What divides both sides of every input, in pixels."""
    return getattr(model.backbone, 'patch_size', MULTIPLE)


def max_height_of(model: nn.Module) -> int:
    """Height of the highest input: four times that of the config."""
    height = 4 * model.head.decoder.input_size[1]
    return height - height % multiple_of(model)


def training_sizes(model: nn.Module) -> List[Size]:
    """Sizes (w, h) that the model was trained at, from high to low."""
    native = tuple(model.head.decoder.input_size)
    return list(getattr(model, 'ladder', [])) or [native]


def fitted_levels(model: nn.Module) -> List[Size]:
    """Levels (w, h) within whose range its graph resizes all inputs.

    Of codecs without UDP it cannot: torch has no translation to ONNX of a
    grid whose size is known when the program runs.
    """
    levels = getattr(model, 'fitted_levels', [])
    return levels if levels and model.use_udp else []


def sizes_to_check(model: nn.Module) -> List[Size]:
    """The training sizes, and one half as large again as the highest."""
    sizes = training_sizes(model)
    multiple = multiple_of(model)
    beside = tuple(side * 3 // 2 // multiple * multiple for side in sizes[0])
    return [beside, *sizes]


def check_sizes(model: nn.Module, sizes: Sequence[Size], field: str):
    """Refuse sizes (w, h) that an exported model does not take.

    Raises:
        ConfigError: If one does not fit.
    """
    multiple, highest = multiple_of(model), max_height_of(model)
    for size in sizes:
        check_backbone_takes(model.backbone, size, field)
        if any(side % multiple for side in size):
            raise ConfigError(field, f'got {size_name(size)}',
                              f'use multiples of {multiple}')
        if min(size) < 2 * multiple or size[1] > highest:
            raise ConfigError(
                field, f'got {size_name(size)}', f'use sides from '
                f'{2 * multiple} and heights up to {highest}')
