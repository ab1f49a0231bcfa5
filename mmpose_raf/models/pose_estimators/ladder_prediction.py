"""Prediction of a model that was trained on a ladder of sizes."""

from typing import List, Optional, Sequence, Union

import numpy as np
import torch
from mmpose.models.heads import HeatmapHead
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.utils.typing import InstanceList, PixelDataList, SampleList
from torch import Tensor

from mmpose_raf.errors import ConfigError, check_choice
from mmpose_raf.models.codecs import check_codec, is_udp, resize_codec
from mmpose_raf.models.ladder import (check_backbone_takes, check_ladder,
                                      fit_size, resample)
from mmpose_raf.sizes import Size, size_of

#: The levels of a ladder, from high to low, that a rule fits inputs to.
FITS = {None: slice(0), 'nearest': slice(None), 'highest': slice(1)}


class LadderPrediction(TopdownPoseEstimator):
    """A top-down pose estimator that knows at which sizes it was trained.

    Args:
        ladder (list[tuple[int, int]]): Input sizes (w, h) in pixels.
        **kwargs: As in ``TopdownPoseEstimator``. ``test_cfg`` may also hold

            - ``joint_flip`` (bool): whether a flip test takes the images and
              their mirror images through backbone and neck as one batch of
              twice the size, or in MMPose's way, one pass for each. Defaults
              to False: on a CPU two passes are faster.
            - ``fit_to_ladder`` (str, optional): which inputs are resized
              before the model sees them, see :func:`fit_size`:
              ``'highest'``, all to the highest level; or ``'nearest'``, only
              those beyond the ladder, to its nearest end. Keypoints are in
              the photograph as ever, heatmaps have the size of the level.
              Defaults to None: no input is.

    Raises:
        ConfigError: If ladder, head or codec do not fit.
    """

    def __init__(self, *, ladder: Sequence[Size], **kwargs):
        super().__init__(**kwargs)
        self.ladder = check_ladder(ladder, 'model.ladder')
        check_choice(
            self.test_cfg.get('fit_to_ladder'), FITS,
            'model.test_cfg.fit_to_ladder')
        if not isinstance(self.head, HeatmapHead):
            raise ConfigError(
                'model.head', 'RAFPoseEstimator distils heatmaps',
                'use HeatmapHead or AnyResolutionHeatmapHead')
        self.codec = check_codec(self.head.decoder, 'model.head.decoder')
        self.use_udp = is_udp(self.codec)
        # Codec and backbone refuse a level now, not in mid-training.
        for size in self.ladder:
            resize_codec(self.codec, size, 'pixel')
            check_backbone_takes(self.backbone, size, 'model.ladder')

    def predict(self, inputs: Tensor, data_samples: SampleList) -> SampleList:
        """Predict keypoints, the flip test as one batch if ``joint_flip``.

        Args:
            inputs (Tensor): Images in shape (B, 3, H, W).
            data_samples (list[:obj:`PoseDataSample`]): The samples, with the
                crop's place in the photograph.

        Returns:
            list[:obj:`PoseDataSample`]: The same samples with predictions,
            see ``TopdownPoseEstimator``.
        """
        inputs = self._fit(inputs)
        is_joint = self.test_cfg.get('flip_test', False) and self.test_cfg.get(
            'joint_flip', False)
        if not is_joint:
            return super().predict(inputs, data_samples)
        features = self.extract_feat(torch.cat((inputs, inputs.flip(-1))))
        found = self.head.predict(
            _halve(features), data_samples, test_cfg=self.test_cfg)
        instances, fields = found if isinstance(found, tuple) else (found,
                                                                    None)
        return self.add_pred_to_datasample(instances, fields, data_samples)

    def _forward(self, inputs: Tensor, *args, **kwargs):
        """Heatmaps of images, fitted to the ladder if so wanted."""
        return super()._forward(self._fit(inputs), *args, **kwargs)

    def _fit(self, inputs: Tensor) -> Tensor:
        """Images (B, 3, H, W) at the size at which they are predicted."""
        size = self._size_of_prediction(size_of(inputs))
        if size == size_of(inputs):
            return inputs
        return resample(inputs, size, self.use_udp)

    @property
    def fitted_levels(self) -> List[Size]:
        """list[tuple[int, int]]: Sizes (w, h), from high to low, within whose
        range inputs are predicted; empty if none is resized."""
        return self.ladder[FITS[self.test_cfg.get('fit_to_ladder')]]

    def _size_of_prediction(self, size: Size) -> Size:
        """Size (w, h) that the model sees of an input of a size (w, h)."""
        return fit_size(size, self.fitted_levels)

    def add_pred_to_datasample(self, batch_pred_instances: InstanceList,
                               batch_pred_fields: Optional[PixelDataList],
                               batch_data_samples: SampleList) -> SampleList:
        """Add predictions, see ``TopdownPoseEstimator``.

        Keypoints come in the pixels of what the model saw.
        """
        for instances, sample in zip(batch_pred_instances, batch_data_samples):
            size = tuple(sample.metainfo['input_size'])
            seen = self._size_of_prediction(size)
            if seen != size:
                instances.keypoints[..., :2] *= np.divide(size, seen)
        return super().add_pred_to_datasample(batch_pred_instances,
                                              batch_pred_fields,
                                              batch_data_samples)


def _halve(features: Union[Tensor, Sequence[Tensor]]) -> list:
    """Features of the first and of the second half of a batch."""
    if isinstance(features, Tensor):
        return list(features.chunk(2))
    return list(zip(*(maps.chunk(2) for maps in features)))
