"""Levels and targets made sample by sample on the CPU."""

from typing import List, Sequence, Tuple

import cv2
import numpy as np
import torch
from mmpose.structures import PoseDataSample
from torch import Tensor

from mmpose_raf.models.codecs import HeatmapCodec
from mmpose_raf.sizes import Size


def warp(image: np.ndarray, size: Size) -> np.ndarray:
    """Resize an image (H, W, 3) in UDP's coordinates.

    The first and last pixel centres stay first and last. OpenCV rounds the
    places that it reads to 1/32 pixel.
    """
    height, width = image.shape[:2]
    matrix = np.array([[(width - 1) / (size[0] - 1), 0, 0],
                       [0, (height - 1) / (size[1] - 1), 0]])
    return cv2.warpAffine(
        image,
        matrix,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE)


def make_level(images: Sequence[Tensor], samples: List[PoseDataSample],
               codec: HeatmapCodec) -> Tuple[Tensor, Tensor, Tensor]:
    """One level of a batch.

    Args:
        images (list[Tensor]): Native crops (3, H, W) in bytes.
        samples (list[PoseDataSample]): Their keypoints.
        codec (UDPHeatmap): The level's codec.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Images (B, 3, h, w) of float32 in
        [0, 255], targets (B, K, H, W) and keypoint weights (B, K).
    """
    levels, targets, weights = [], [], []
    for image, sample in zip(images, samples):
        native = np.array(image.shape[:0:-1])
        # In float32: bytes would be rounded once more.
        pixels = image.permute(1, 2, 0).numpy().astype(np.float32)
        if tuple(native) != tuple(codec.input_size):
            pixels = warp(pixels, codec.input_size)
        levels.append(torch.from_numpy(pixels).permute(2, 0, 1))
        instance = sample.gt_instances
        ratio = (np.array(codec.input_size) - 1) / (native - 1)
        encoded = codec.encode(
            (instance.transformed_keypoints * ratio).astype(np.float32),
            instance.keypoints_visible)
        targets.append(torch.from_numpy(encoded['heatmaps']))
        weights.append(torch.from_numpy(encoded['keypoint_weights'][0]))
    return torch.stack(levels), torch.stack(targets), torch.stack(weights)
