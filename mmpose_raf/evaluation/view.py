"""How a person is shown to the model in one evaluation."""

from dataclasses import dataclass
from typing import List, Optional, Sequence

from mmpose_raf.errors import ConfigError
from mmpose_raf.sizes import Size, is_size, size_name


@dataclass(frozen=True)
class View:
    """One way to crop a person. Sizes are (w, h) in pixels.

    Args:
        input_size (tuple[int, int]): Size of the crop.
        capture_size (tuple[int, int], optional): What a camera would have
            seen of the frame of the crop, see
            :class:`mmpose_raf.datasets.CapturedTopdownAffine`. Defaults to
            None: the source image as it is.
        upsample_to (tuple[int, int], optional): Size to which the crop is
            enlarged before the model. Defaults to None.
    """

    input_size: Size
    capture_size: Optional[Size] = None
    upsample_to: Optional[Size] = None

    @property
    def name(self) -> str:
        """str: ``128x96``, ``128x96-captured-at-64x48`` or
        ``64x48-upsampled-to-128x96``."""
        name = size_name(self.input_size)
        if self.capture_size is not None:
            name += f'-captured-at-{size_name(self.capture_size)}'
        if self.upsample_to is not None:
            name += f'-upsampled-to-{size_name(self.upsample_to)}'
        return name

    @property
    def model_size(self) -> Size:
        """tuple[int, int]: Size (w, h) that the model gets."""
        return self.upsample_to or self.input_size

    @property
    def is_plain(self) -> bool:
        """bool: Whether the crop is neither degraded nor enlarged."""
        return self.capture_size is None and self.upsample_to is None


def list_views(input_sizes: Sequence[Size],
               capture_sizes: Sequence[Size] = (),
               upsample_to: Optional[Size] = None) -> List[View]:
    """List the views of an evaluation.

    Args:
        input_sizes (list[tuple[int, int]]): Sizes of the plain views.
        capture_sizes (list[tuple[int, int]]): Each input size is also seen
            as captured at these, if they are smaller. Defaults to ().
        upsample_to (tuple[int, int], optional): Each smaller input size is
            also enlarged to this. Defaults to None.

    Raises:
        ConfigError: If a size is no size, stands there twice, or gives no
            view.
    """
    check_sizes(input_sizes, 'input_sizes', at_least=1)
    check_sizes(capture_sizes, 'capture_sizes')
    sizes = [tuple(size) for size in input_sizes]
    views = [View(size) for size in sizes]
    for captured in map(tuple, capture_sizes):
        views += _some([
            View(size, capture_size=captured) for size in sizes
            if _is_below(captured, size)
        ], 'capture_sizes', captured, 'below')
    if upsample_to is not None:
        check_sizes([upsample_to], 'upsample_to')
        target = tuple(upsample_to)
        views += _some([
            View(size, upsample_to=target) for size in sizes
            if _is_below(size, target)
        ], 'upsample_to', target, 'above')
    return views


def _some(views: List[View], field: str, size: Size, side: str) -> List[View]:
    if not views:
        raise ConfigError(field,
                          f'{size_name(size)} is {side} none of input_sizes',
                          'leave it out, or add sizes')
    return views


def _is_below(size: Size, other: Size) -> bool:
    return size != other and size[0] <= other[0] and size[1] <= other[1]


def check_sizes(sizes: Sequence[Size], field: str, at_least: int = 0):
    """Refuse what is no list of different sizes (w, h).

    Raises:
        ConfigError: If it is not, or shorter than ``at_least``.
    """
    is_list = isinstance(sizes, (list, tuple)) and len(sizes) >= at_least
    if not is_list or not all(map(is_size, sizes)):
        raise ConfigError(field, f'got {sizes!r}',
                          'give sizes in pixels as [(w, h), ...]')
    if len({tuple(size) for size in sizes}) < len(sizes):
        raise ConfigError(field, f'got {sizes!r}', 'name every size once')
