"""MMPose's heatmap decoding, made exact at the border of the heatmap."""

from typing import List, Tuple

import numpy as np
from mmengine.structures import InstanceData
from mmpose.codecs.utils import (get_heatmap_maximum, refine_keypoints_dark,
                                 refine_keypoints_dark_udp)
from torch import Tensor

from .codecs import HeatmapCodec, is_udp, resize_codec


def decode_at_any_size(decoder: HeatmapCodec, sigma_mode: str,
                       heatmaps: Tensor) -> List[InstanceData]:
    """Decode a batch of heatmaps whatever their size.

    Args:
        decoder (UDPHeatmap | MSRAHeatmap): Codec of the highest level.
        sigma_mode (str): See :func:`mmpose_raf.models.codecs.resize_codec`.
        heatmaps (Tensor): Heatmaps in shape (B, K, H, W).

    Returns:
        list[InstanceData]: ``keypoints`` (1, K, 2) in the input's pixels and
        ``keypoint_scores`` (1, K) of each sample.
    """
    sizes = zip(heatmaps.shape[:-3:-1], decoder.input_size,
                decoder.heatmap_size)
    input_size = tuple(side * full // heatmap for side, full, heatmap in sizes)
    codec = resize_codec(decoder, input_size, sigma_mode)
    predictions = []
    for sample in heatmaps.detach().float().cpu().numpy():
        keypoints, scores = decode_heatmaps(codec, sample)
        predictions.append(
            InstanceData(keypoints=keypoints, keypoint_scores=scores))
    return predictions


def decode_heatmaps(codec: HeatmapCodec,
                    heatmaps: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Decode heatmaps as ``codec.decode`` does, the border included.

    MMPose blurs a heatmap and reads the keypoint off a parabola through the
    logarithm (DARK, Zhang et al., CVPR 2020), with zeros beyond the border:
    they push keypoints near the border inwards, by up to a heatmap pixel. Of
    a heatmap 16 pixels high nearly everything is border. Here these heatmaps
    are first continued beyond it, see :func:`continue_heatmaps`. All others
    are decoded by the codec, and so are those of ``MSRAHeatmap`` with
    ``unbiased=False``, whose targets lie on whole pixels anyway.

    Args:
        codec (UDPHeatmap | MSRAHeatmap): Codec of the heatmaps' size.
        heatmaps (np.ndarray): Heatmaps in shape (K, H, W), float32.

    Returns:
        tuple[np.ndarray, np.ndarray]: Coordinates in the input's pixels, in
        shape (1, K, 2), and scores in shape (1, K).
    """
    keypoints, scores = codec.decode(heatmaps)
    if not (is_udp(codec) or codec.unbiased):
        return keypoints, scores

    kernel = codec.blur_kernel_size
    # The parabola needs the blurred values of up to two pixels around.
    reach = kernel // 2 + 2
    size = np.array(codec.heatmap_size)
    peaks, _ = get_heatmap_maximum(heatmaps)
    is_near = ((peaks < reach) | (peaks >= size - reach)).any(-1)
    is_near &= scores[0] > 0
    if is_near.any():
        continued = continue_heatmaps(heatmaps[is_near], codec.sigma, reach)
        refine, unit = ((refine_keypoints_dark_udp,
                         codec.input_size / (size - 1)) if is_udp(codec) else
                        (refine_keypoints_dark, codec.scale_factor))
        refined = refine(peaks[None, is_near] + reach, continued, kernel)
        keypoints[:, is_near] = (refined - reach) * unit
    return keypoints, scores


def continue_heatmaps(heatmaps: np.ndarray, sigma: float,
                      margin: int) -> np.ndarray:
    """Continue heatmaps beyond their border as Gaussians.

    A Gaussian of known width is known from two neighbours: with ``h0`` at the
    border and ``h1`` within, ``k`` pixels beyond it is ``h0 (h0 / h1)^k
    exp(-k (k + 1) / (2 sigma^2))``.

    Args:
        heatmaps (np.ndarray): Heatmaps in shape (K, H, W).
        sigma (float): Standard deviation in heatmap pixels.
        margin (int): Pixels to add on each side.

    Returns:
        np.ndarray: Heatmaps in shape (K, H + 2 * margin, W + 2 * margin).
    """
    step = np.arange(1, margin + 1)
    decay = np.exp(-step * (step + 1) / (2 * sigma**2))
    # Noise must not grow beyond the border: the keypoint is taken to lie at
    # most one heatmap pixel outside (in MSRA's coordinates the last pixel of
    # the input lies beyond the last one of the heatmap).
    steepest = np.exp(1.5 / sigma**2)

    def beyond(border: np.ndarray, inner: np.ndarray) -> np.ndarray:
        border = np.maximum(border, 0)
        ratio = border / np.maximum(inner, 1e-6)
        return border * np.minimum(ratio, steepest)**step * decay

    for _ in range(2):  # left and right, then (transposed) top and bottom
        heatmaps = np.concatenate(
            (beyond(heatmaps[..., :1], heatmaps[..., 1:2])[..., ::-1],
             heatmaps, beyond(heatmaps[..., -1:], heatmaps[..., -2:-1])),
            -1).swapaxes(-1, -2)
    return heatmaps.astype(np.float32)
