"""A top-down pipeline at another input size."""

import copy
from typing import Any, Callable, List, Optional, Sequence

from mmpose.datasets.transforms import (GenerateTarget, PackPoseInputs,
                                        TopdownAffine)

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.codecs import resize_codec
from mmpose_raf.sizes import Size
from .captured_topdown_affine import CapturedTopdownAffine

FIELD = 'train_dataloader.dataset.pipeline'


def retarget_pipeline(transforms: Sequence[Callable],
                      input_size: Size,
                      sigma_mode: str,
                      capture_size: Optional[Size] = None,
                      field: str = FIELD) -> List[Callable]:
    """Copy a top-down pipeline so that it crops at another size.

    Only what depends on the size is changed: ``TopdownAffine``, the codec of
    ``GenerateTarget`` (if the pipeline has one), and ``PackPoseInputs``,
    which packs the keypoints of the crop as well, for the targets of a
    ladder.

    Args:
        transforms (list): Transforms of the pipeline, as built.
        input_size (tuple[int, int]): Input size (w, h) in pixels.
        sigma_mode (str): See :func:`mmpose_raf.models.codecs.resize_codec`;
            the pipeline's codec is that of the highest level.
        capture_size (tuple[int, int], optional): What a camera would have
            seen, see :class:`CapturedTopdownAffine`. Defaults to None: the
            source as it is.
        field (str): Where the pipeline stands in the config.

    Returns:
        list: Transforms; those that do not depend on the size are shared.

    Raises:
        ConfigError: If the pipeline has no ``TopdownAffine``, or targets
            that cannot be had at another size.
    """
    if not any(isinstance(step, TopdownAffine) for step in transforms):
        raise ConfigError(field, 'it has no TopdownAffine',
                          'only a top-down pipeline crops at other sizes')
    retargeted = []
    for step in map(copy.copy, transforms):
        if isinstance(step, TopdownAffine):
            if capture_size is not None:
                if type(step) is not TopdownAffine:
                    raise ConfigError(
                        f'{field}.{type(step).__name__}',
                        'a crop of its own knows no capture_size',
                        "use MMPose's TopdownAffine")
                step = CapturedTopdownAffine(input_size, capture_size,
                                             step.use_udp)
            step.input_size = input_size
        elif isinstance(step, GenerateTarget):
            if _have_size(step.encoder, input_size):
                # Also those of SimCC and regression, which have no other.
                pass
            elif isinstance(step.encoder, list):
                raise ConfigError(f'{field}.GenerateTarget.encoder',
                                  'got several encoders', 'use one')
            else:
                step.encoder = resize_codec(step.encoder, input_size,
                                            sigma_mode)
        elif isinstance(step, PackPoseInputs):
            step.pack_transformed = True
        retargeted.append(step)
    return retargeted


def _have_size(encoders: Any, input_size: Size) -> bool:
    """Whether codecs are those of an input size as they are."""
    if not isinstance(encoders, list):
        encoders = [encoders]
    # Codecs that are made of two, as that of integral regression, have the
    # size in them. Of those that know no size none is the right one.
    inner = [getattr(encoder, 'keypoint_codec', encoder)
             for encoder in encoders]
    return all(
        tuple(getattr(encoder, 'input_size', ())) == tuple(input_size)
        for encoder in inner)
