"""Heatmaps of keypoints that are known."""

import numpy as np
import torch


def gaussians(keypoints, sigma, size, unit):
    """Heatmaps (1, K, h, w) of keypoints (K, 2) in the input's pixels."""
    x, y = np.arange(size[0]), np.arange(size[1])
    return torch.tensor(
        np.stack([
            np.exp(-((x[None] - u)**2 + (y[:, None] - v)**2) / (2 * sigma**2))
            for u, v in keypoints / unit
        ])[None],
        dtype=torch.float32)
