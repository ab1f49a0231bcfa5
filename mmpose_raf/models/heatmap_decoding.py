"""DARK's heatmap decoding, in batches, exact at the border of the heatmap."""

from typing import List, Tuple

import cv2
import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from mmpose_raf.sizes import size_of
from .codecs import HeatmapCodec, is_udp, resize_codec
from .constants import constant_like

# Pixels around the maximum that the second derivatives look at.
STENCIL = 2


def decode_at_any_size(decoder: HeatmapCodec, sigma_mode: str,
                       heatmaps: Tensor) -> List[InstanceData]:
    """Decode a batch of heatmaps whatever their size.

    Args:
        decoder (UDPHeatmap | MSRAHeatmap): Codec of the highest level.
        sigma_mode (str): See :func:`mmpose_raf.models.codecs.resize_codec`.
        heatmaps (Tensor): Heatmaps in shape (B, K, H, W).

    Returns:
        list[InstanceData]: ``keypoints`` (1, K, 2) in the input's pixels and
        ``keypoint_scores`` (1, K) of each sample, as numpy arrays.
    """
    sizes = zip(
        size_of(heatmaps), decoder.input_size, decoder.heatmap_size)
    input_size = tuple(side * full // heatmap for side, full, heatmap in sizes)
    codec = resize_codec(decoder, input_size, sigma_mode)
    keypoints, scores = decode_heatmaps(codec, heatmaps.detach().float())
    # The device is waited for once, not for each heatmap.
    found = torch.cat((keypoints, scores[..., None]), -1).cpu().numpy()
    return [
        InstanceData(keypoints=sample[None, :, :2],
                     keypoint_scores=sample[None, :, 2]) for sample in found
    ]


def decode_heatmaps(codec: HeatmapCodec,
                    heatmaps: Tensor) -> Tuple[Tensor, Tensor]:
    """Decode heatmaps as ``codec.decode`` does, the border included.

    The heatmap is blurred and the keypoint read off a parabola through the
    logarithm (DARK, Zhang et al., CVPR 2020; for UDP, Huang et al., CVPR
    2020, from closer neighbours). MMPose does so for each heatmap on the CPU,
    with zeros beyond the border: they push keypoints near the border inwards,
    by up to a heatmap pixel. Of a heatmap 16 pixels high nearly everything is
    border. Here the heatmaps are continued beyond it, see
    :func:`windows_around`, and only what the parabola needs is blurred, all
    at once and on their device. Away from the border the keypoints are
    MMPose's.

    ``MSRAHeatmap`` with ``unbiased=False``, whose targets lie on whole pixels
    anyway, is decoded by the codec itself, one by one on the CPU.

    Args:
        codec (UDPHeatmap | MSRAHeatmap): Codec of the heatmaps' size.
        heatmaps (Tensor): Heatmaps in shape (B, K, H, W), float32, H and W
            of 3 at least.

    Returns:
        tuple[Tensor, Tensor]: Coordinates in the input's pixels, in shape
        (B, K, 2), and scores in shape (B, K). A heatmap that is nowhere
        positive has its keypoint one heatmap pixel outside, at (-1, -1).
    """
    if not (is_udp(codec) or codec.unbiased):
        return _decode_by_codec(codec, heatmaps)
    keypoints, scores = locate_maxima(
        heatmaps, *constant_like([codec.sigma], heatmaps),
        constant_like(blur_taps(codec.blur_kernel_size), heatmaps),
        is_udp(codec))
    unit = np.array(codec.input_size) / (
        np.array(codec.heatmap_size) - 1) if is_udp(
            codec) else codec.scale_factor
    return keypoints * constant_like(unit, keypoints), scores


def blur_taps(kernel: int) -> np.ndarray:
    """Taps of the Gaussian by which DARK blurs, of an odd size."""
    return cv2.getGaussianKernel(kernel, 0)[:, 0]


def locate_maxima(heatmaps: Tensor, sigma: Tensor, taps: Tensor,
                  use_udp: bool) -> Tuple[Tensor, Tensor]:
    """Find the maxima of heatmaps to a fraction of a pixel.

    Args:
        heatmaps (Tensor): Heatmaps in shape (B, K, H, W), float32, H and W
            of 3 at least.
        sigma (Tensor): Standard deviation of a keypoint in heatmap pixels,
            one number.
        taps (Tensor): Kernel of the blur in shape (n, ), n odd; zeros around
            it change nothing.
        use_udp (bool): Whether the parabola is UDP's or DARK's.

    Returns:
        tuple[Tensor, Tensor]: Coordinates (x, y) in heatmap pixels, in shape
        (B, K, 2), -1 where nothing is positive, and scores in shape (B, K).
    """
    scores, index = heatmaps.flatten(2).max(-1)
    width = heatmaps.shape[-1]
    rows = torch.div(index, width, rounding_mode='floor')
    # No remainder, which ONNX's exporter wants by a constant.
    peaks = torch.stack((index - rows * width, rows), -1)
    windows = windows_around(heatmaps, peaks, sigma,
                             len(taps) // 2 + STENCIL)
    refine = _offsets_of_udp if use_udp else _offsets_of_dark
    keypoints = peaks + refine(_blur(windows, taps))
    return keypoints.masked_fill(~(scores > 0)[..., None], -1), scores


def _decode_by_codec(codec: HeatmapCodec,
                     heatmaps: Tensor) -> Tuple[Tensor, Tensor]:
    decoded = [codec.decode(sample) for sample in heatmaps.cpu().numpy()]
    keypoints, scores = (np.concatenate(part) for part in zip(*decoded))
    return torch.from_numpy(keypoints), torch.from_numpy(scores)


def windows_around(heatmaps: Tensor, peaks: Tensor, sigma: Tensor,
                   reach: int) -> Tensor:
    """Cut out what is around the maxima, continued beyond the border.

    A Gaussian of known width is known from two neighbours: with ``h0`` at the
    border and ``h1`` within, ``k`` pixels beyond it is ``h0 exp(k (log(h0 /
    h1) - (k + 1) / (2 sigma^2)))``.

    Args:
        heatmaps (Tensor): Heatmaps in shape (B, K, H, W).
        peaks (Tensor): Pixels (x, y), int64 in shape (B, K, 2).
        sigma (Tensor): Standard deviation in heatmap pixels, one number.
        reach (int): Pixels wanted on each side of a peak.

    Returns:
        Tensor: In shape (B, K, 2 * reach + 1, 2 * reach + 1).
    """
    height, width = heatmaps.shape[-2:]
    around = torch.arange(-reach, reach + 1, device=heatmaps.device)
    columns, rows = (peaks[..., None] + around).unbind(2)
    index = rows.clamp(0, height - 1)[..., None] * width + columns.clamp(
        0, width - 1)[..., None, :]
    windows = heatmaps.flatten(2).gather(2, index.flatten(2)).view(index.shape)
    # Left and right, then (transposed) top and bottom.
    windows = _continue(windows, columns, width, sigma)
    return _continue(windows.transpose(-1, -2), rows, height,
                     sigma).transpose(-1, -2)


def _continue(windows: Tensor, places: Tensor, side: int,
              sigma: Tensor) -> Tensor:
    """Continue windows beyond both borders along their last dimension.

    Args:
        windows (Tensor): In shape (B, K, n, n), with the border's values
            beyond it.
        places (Tensor): Where the last dimension lies in the heatmap, in
            shape (B, K, n).
        side (int): Length of the heatmap in this direction.
        sigma (Tensor): Standard deviation in heatmap pixels, one number.
    """
    steps = (-places).clamp(min=0) + (places - side + 1).clamp(min=0)
    within = places.clamp(1, side - 2) - places[..., :1]
    inner = windows.gather(-1, within[..., None, :].expand_as(windows))
    border = windows.clamp(min=0)
    # Noise must not grow beyond the border: the keypoint is taken to lie at
    # most one heatmap pixel outside (in MSRA's coordinates the last pixel of
    # the input lies beyond the last one of the heatmap).
    slope = (border / inner.clamp(min=1e-6)).log().minimum(1.5 / sigma**2)
    steps = steps[..., None, :]
    beyond = border * torch.exp(steps * (slope - (steps + 1) /
                                         (2 * sigma**2)))
    return torch.where(steps > 0, beyond, windows)


def _blur(windows: Tensor, taps: Tensor) -> Tensor:
    """Blur the middle of windows as DARK does, up to the maximum there.

    MMPose scales a blurred heatmap to the maximum that it had; that of a
    window is the same wherever a heatmap has one clear maximum. Sums instead
    of products of matrices: autocast and TF32 would round those.

    Args:
        windows (Tensor): In shape (B, K, n, n).
        taps (Tensor): The Gaussian's kernel in shape (n - 2 * STENCIL, ).

    Returns:
        Tensor: In shape (B, K, 5, 5).
    """
    kernel = len(taps)
    blurred = (windows.unfold(-1, kernel, 1) * taps).sum(-1)
    blurred = (blurred.unfold(-2, kernel, 1) * taps).sum(-1)
    half = kernel // 2
    middle = windows[..., half:-half, half:-half] if half else windows
    return blurred * (
        middle.amax((-1, -2), True) / blurred.amax((-1, -2), True))


def _offsets_of_udp(blurred: Tensor) -> Tensor:
    """Where the parabola's maximum lies, from direct neighbours (UDP)."""
    log = blurred.clamp(1e-3, 50.).log()
    here, left, right = log[..., 2, 2], log[..., 2, 1], log[..., 2, 3]
    above, below = log[..., 1, 2], log[..., 3, 2]
    tiny = torch.finfo(torch.float32).eps
    return _maximum_of_parabola(
        slope_x=.5 * (right - left),
        slope_y=.5 * (below - above),
        curve_x=right - 2 * here + left + tiny,
        curve_y=below - 2 * here + above + tiny,
        twist=.5 * (log[..., 3, 3] - right - below + 2 * here - left - above +
                    log[..., 1, 1]))


def _offsets_of_dark(blurred: Tensor) -> Tensor:
    """Where the parabola's maximum lies, from two pixels around (DARK)."""
    log = blurred.clamp(min=1e-10).log()
    here = log[..., 2, 2]
    return _maximum_of_parabola(
        slope_x=.5 * (log[..., 2, 3] - log[..., 2, 1]),
        slope_y=.5 * (log[..., 3, 2] - log[..., 1, 2]),
        curve_x=.25 * (log[..., 2, 4] - 2 * here + log[..., 2, 0]),
        curve_y=.25 * (log[..., 4, 2] - 2 * here + log[..., 0, 2]),
        twist=.25 * (log[..., 3, 3] - log[..., 1, 3] - log[..., 3, 1] +
                     log[..., 1, 1]))


def _maximum_of_parabola(slope_x: Tensor, slope_y: Tensor, curve_x: Tensor,
                         curve_y: Tensor, twist: Tensor) -> Tensor:
    """Newton's step, minus the inverse Hessian times the gradient.

    Where the Hessian has no inverse the step is 0. Where it hardly has one,
    as on a plateau or a ridge, MMPose's step may be thousands of pixels long:
    here it ends where the stencil does.
    """
    determinant = curve_x * curve_y - twist**2
    step = torch.stack((twist * slope_y - curve_y * slope_x,
                        twist * slope_x - curve_x * slope_y), -1)
    step = torch.where(determinant[..., None] == 0, step.new_zeros(()),
                       step / determinant[..., None])
    return step.clamp(-STENCIL, STENCIL)
