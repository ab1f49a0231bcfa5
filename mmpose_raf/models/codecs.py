"""MMPose's heatmap codecs at any input size.

An MMPose codec object has one input and one heatmap size. Here the codec of
the config describes the highest level, and the same codec at another size is
derived from it: for the decoder of a head, the targets of a ladder's level and
the pipeline of a client.
"""

import math
from typing import Union

from mmpose.codecs import MSRAHeatmap, UDPHeatmap

from mmpose_raf.errors import ConfigError, check_choice
from mmpose_raf.sizes import Size

HeatmapCodec = Union[UDPHeatmap, MSRAHeatmap]

SIGMA_MODES = ('pixel', 'relative')


def check_codec(codec: HeatmapCodec, field: str = 'codec') -> HeatmapCodec:
    """Return a codec if it can be had at other sizes.

    Raises:
        ConfigError: If it is not a Gaussian heatmap codec, or its blur has
            no middle.
    """
    is_gaussian = isinstance(codec, MSRAHeatmap) or (
        isinstance(codec, UDPHeatmap) and codec.heatmap_type == 'gaussian')
    if not is_gaussian:
        raise ConfigError(
            field, f'got {type(codec).__name__}',
            "use UDPHeatmap (heatmap_type='gaussian') or MSRAHeatmap: only "
            'Gaussian heatmaps are distilled and decoded at several sizes')
    if codec.blur_kernel_size % 2 == 0:
        raise ConfigError(f'{field}.blur_kernel_size',
                          f'got {codec.blur_kernel_size}',
                          'use an odd number')
    return codec


def is_udp(codec: HeatmapCodec) -> bool:
    """Whether a codec counts in unit steps between pixel centres (UDP)."""
    return isinstance(codec, UDPHeatmap)


def resize_codec(codec: HeatmapCodec, input_size: Size,
                 sigma_mode: str) -> HeatmapCodec:
    """The same codec for another input size.

    Args:
        codec (UDPHeatmap | MSRAHeatmap): Codec of the highest level.
        input_size (tuple[int, int]): Input size (w, h) wanted. The ratio of
            input to heatmap stays.
        sigma_mode (str): ``'pixel'`` keeps sigma in heatmap pixels, as RAF
            was published; ``'relative'`` keeps the Gaussian's width relative
            to the height of the crop, and the decoder's blur kernel follows.

    Returns:
        UDPHeatmap | MSRAHeatmap: A new codec.

    Raises:
        ConfigError: If the heatmap would not have whole pixels.
    """
    check_codec(codec)
    check_choice(sigma_mode, SIGMA_MODES, 'sigma_mode')
    sizes = zip(input_size, codec.heatmap_size, codec.input_size)
    sides = [(side * heatmap, full) for side, heatmap, full in sizes]
    if any(side <= 0 or side % full for side, full in sides):
        raise ConfigError(
            'input_size', f'(w, h) = {tuple(input_size)} has no whole heatmap '
            f'at the ratio {tuple(codec.input_size)} to '
            f'{tuple(codec.heatmap_size)}', 'use multiples of that ratio')
    heatmap_size = tuple(side // full for side, full in sides)

    sigma, kernel = codec.sigma, codec.blur_kernel_size
    if sigma_mode == 'relative' and heatmap_size[1] != codec.heatmap_size[1]:
        sigma = sigma * heatmap_size[1] / codec.heatmap_size[1]
        kernel = blur_kernel_of(sigma)
    options = dict(
        input_size=tuple(input_size),
        heatmap_size=heatmap_size,
        sigma=sigma,
        blur_kernel_size=kernel)
    if isinstance(codec, MSRAHeatmap):
        options['unbiased'] = codec.unbiased
    return type(codec)(**options)


def blur_kernel_of(sigma: float) -> int:
    """Blur kernel that fits a Gaussian, in pixels, odd and at least 3.

    It inverts the rule of MMPose's codecs (from OpenCV's ``GaussianBlur``),
    sigma = 0.3 * ((kernel - 1) / 2 - 1) + 0.8: 11 for 2, 7 for 1.5.

    Args:
        sigma (float): Standard deviation in heatmap pixels.
    """
    return max(3, 2 * math.floor((sigma - 0.8) / 0.3 + 1.5) + 1)
