"""Any model of MMPose with Gaussian heatmaps, at any input size."""

from contextlib import contextmanager
from functools import partial
from typing import Iterator, List, Sequence

import torch
from mmpose.structures import PoseDataSample
from torch import nn

from mmpose_raf.models.codecs import check_codec, is_udp, resize_codec
from mmpose_raf.models.heads import AnyResolutionHeatmapHead
from mmpose_raf.models.heatmap_decoding import decode_at_any_size
from mmpose_raf.models.heatmap_targets import encode_batch
from mmpose_raf.models.ladder import (check_backbone_takes, resample,
                                      resize_keypoints)
from .view import Size, View


class AnySizePredictor:
    """Lets a model predict at sizes for which it was not built.

    A stock ``HeatmapHead`` decodes with the codec of its one size. While this
    predicts, every head with a Gaussian codec decodes as an
    :class:`AnyResolutionHeatmapHead` does; nothing in the model is changed
    for good.

    Args:
        model (BasePoseEstimator): The model, not wrapped.
        views (list[View]): What it will be shown.

    Raises:
        ConfigError: If head or backbone cannot take a view's size.
    """

    def __init__(self, model: nn.Module, views: Sequence[View]):
        self.model = model
        head = model.head
        self.codec = check_codec(
            getattr(head, 'decoder', None), 'model.head.decoder')
        self.sigma_mode = getattr(head, 'sigma_mode', 'pixel')
        self.use_udp = is_udp(self.codec)
        for view in views:
            resize_codec(self.codec, view.model_size, self.sigma_mode)
            check_backbone_takes(model.backbone, view.model_size,
                                 'input_sizes')

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """While open, the model's head decodes heatmaps of any size."""
        head = self.model.head
        if isinstance(head, AnyResolutionHeatmapHead):
            yield
            return
        head.decode = partial(decode_at_any_size, self.codec, self.sigma_mode)
        try:
            yield
        finally:
            del head.decode  # the class's own is there again

    def enlarge(self, batch: dict, target: Size, mode: str) -> dict:
        """Enlarge the crops of a batch before the model sees them.

        Args:
            batch (dict): Collated ``inputs``, (3, h, w) each, and
                ``data_samples``.
            target (tuple[int, int]): Size (w, h) wanted in pixels.
            mode (str): ``'bicubic'`` or ``'bilinear'``.

        Returns:
            dict: A batch whose samples are copies that know the new size.
        """
        samples = []
        for sample in batch['data_samples']:
            source = sample.metainfo['input_size']
            sample = sample.new()
            sample.gt_instances = truth = sample.gt_instances.new()
            moved = resize_keypoints(
                torch.from_numpy(truth.transformed_keypoints[..., :2]), source,
                target, self.use_udp)
            truth.set_field(moved.numpy(), 'transformed_keypoints')
            sample.set_metainfo(dict(input_size=target))
            samples.append(sample)
        images = torch.stack(list(batch['inputs'])).float()
        # Bicubic curves overshoot what a pixel can be.
        enlarged = resample(images, target, self.use_udp, mode).clamp(0, 255)
        return dict(inputs=list(enlarged), data_samples=samples)

    def predict_truth(
            self, data_samples: Sequence[PoseDataSample],
            view: View) -> List[PoseDataSample]:
        """What a perfect model would predict: the decoder's ceiling.

        The annotated keypoints are encoded as heatmaps and decoded again.

        Args:
            data_samples (list[PoseDataSample]): Samples of one view.
            view (View): The view.

        Returns:
            list[PoseDataSample]: Copies with predictions in image pixels.
        """
        truth = [sample.gt_instances for sample in data_samples]
        keypoints, visible = (torch.cat([
            torch.from_numpy(instances[key].astype('float32'))
            for instances in truth
        ]) for key in ('transformed_keypoints', 'keypoints_visible'))
        codec = resize_codec(self.codec, view.model_size, self.sigma_mode)
        heatmaps, _ = encode_batch(codec, keypoints[..., :2],
                                   visible.reshape(keypoints.shape[:2]))
        predictions = decode_at_any_size(self.codec, self.sigma_mode, heatmaps)
        return self.model.add_pred_to_datasample(
            predictions, None, [sample.new() for sample in data_samples])
