"""What a pose estimator makes of images, with gradient."""

from torch import Tensor, nn


def heatmaps_of(model: nn.Module, images: Tensor) -> Tensor:
    """Heatmaps (B, K, h, w) of images (B, 3, H, W) in [0, 255]."""
    inputs = model.data_preprocessor(
        dict(inputs=images, data_samples=[]), training=False)['inputs']
    return model.head.forward(model.extract_feat(inputs))
