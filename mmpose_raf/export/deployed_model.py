"""A pose estimator as one function of images, for other runtimes."""

from typing import List, Sequence, Tuple

import torch
from torch import Tensor, nn

from .heatmap_decoder import HeatmapDecoder
from .input_sizes import fitted_levels, max_height_of, multiple_of
from .ladder_fit import LadderFit


class Normalize(nn.Module):
    """What a ``PoseDataPreprocessor`` does to images as OpenCV reads them.

    Args:
        mean (list[float]): Mean of each channel, in the model's order.
        std (list[float]): Standard deviation of each.
        bgr_to_rgb (bool): Whether the channels are reversed before.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float],
                 bgr_to_rgb: bool):
        super().__init__()
        self.register_buffer('mean', torch.tensor(mean))
        self.register_buffer('std', torch.tensor(std))
        self.bgr_to_rgb = bgr_to_rgb

    def forward(self, images: Tensor) -> Tensor:
        """Normalise images (B, H, W, 3), uint8, to (B, 3, H, W), float32."""
        images = images.float()
        if self.bgr_to_rgb:
            images = images.flip(-1)
        return ((images - self.mean) / self.std).permute(0, 3, 1, 2)


def normalization_of(estimator: nn.Module) -> Tuple[List[float], List[float]]:
    """Mean and standard deviation of each channel, in the model's order."""
    processor = estimator.data_preprocessor
    if not getattr(processor, '_enable_normalize', False):
        return [0.] * 3, [1.] * 3
    return processor.mean.flatten().tolist(), processor.std.flatten().tolist()


def reverses_channels(estimator: nn.Module) -> bool:
    """Whether a model sees the channels in the reverse of OpenCV's order."""
    return getattr(estimator.data_preprocessor, '_channel_conversion', False)


class DeployedModel(nn.Module):
    """Backbone, neck and head, with what comes before and after.

    Inputs beyond the ladder are fitted to it if the model's ``test_cfg`` says
    so and its codec is UDP's. There is no flip test: a second pass is for the
    program that runs it.

    Args:
        estimator (TopdownPoseEstimator): A model with a heatmap head, in
            evaluation mode.
        preprocess (bool): Whether images are normalised here. Defaults to
            True.
        decode (bool): Whether heatmaps are decoded here. Defaults to True.

    Raises:
        ConfigError: If the heatmaps cannot be decoded here.
    """

    def __init__(self,
                 estimator: nn.Module,
                 preprocess: bool = True,
                 decode: bool = True):
        super().__init__()
        self.estimator = estimator
        self.normalize = Normalize(
            *normalization_of(estimator),
            reverses_channels(estimator)) if preprocess else None
        levels = fitted_levels(estimator)
        self.fit = LadderFit(levels,
                             multiple_of(estimator)) if levels else None
        self.decoder = HeatmapDecoder(
            estimator.head, max_height_of(estimator)) if decode else None
        self.eval()

    @property
    def height_axis(self) -> int:
        """int: Axis of the images' height; that of the width comes next."""
        return 1 if self.normalize else 2

    @property
    def output_names(self) -> List[str]:
        """list[str]: What each output is, in their order."""
        decoded = ['keypoints', 'scores'] if self.decoder else []
        return [*decoded, 'heatmaps']

    def forward(self, images: Tensor) -> Tuple[Tensor, ...]:
        """Predict.

        Args:
            images (Tensor): Images as OpenCV reads them, in shape
                (B, H, W, 3), uint8; without preprocessing normalised ones in
                shape (B, 3, H, W), float32.

        Returns:
            tuple[Tensor]: Keypoints (x, y) in the input's pixels in shape
            (B, K, 2), scores in shape (B, K), both only with decoding, and
            heatmaps in shape (B, K, H', W') of the input, or of the level
            to which it was fitted.
        """
        if self.normalize is not None:
            images = self.normalize(images)
        height, width = images.shape[-2:]
        if self.fit is not None:
            images = self.fit(images)
        features = self.estimator.extract_feat(images)
        heatmaps = self.estimator.head.forward(features)
        if self.decoder is None:
            return heatmaps,
        keypoints, scores = self.decoder(heatmaps)
        if self.fit is not None:
            x, y = keypoints.unbind(-1)
            keypoints = torch.stack((x * (width / images.shape[-1]),
                                     y * (height / images.shape[-2])), -1)
        return keypoints, scores, heatmaps
