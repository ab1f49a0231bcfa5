"""Any model of MMPose with Gaussian heatmaps, at any input size."""

from contextlib import contextmanager
from functools import partial
from typing import Iterator, List, Sequence

import torch
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from mmpose_raf.errors import ConfigError, describe_error
from mmpose_raf.models.batch_keypoints import gather_keypoints
from mmpose_raf.models.codecs import check_codec, is_udp, resize_codec
from mmpose_raf.models.evaluation_mode import evaluating
from mmpose_raf.models.heads import AnyResolutionHeatmapHead
from mmpose_raf.models.heatmap_decoding import decode_at_any_size
from mmpose_raf.models.heatmap_targets import encode_batch
from mmpose_raf.models.ladder import (check_backbone_takes, resample,
                                      resize_keypoints)
from mmpose_raf.sizes import Size, size_name, size_of
from .view import View


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
            self._check(view)

    def _check(self, view: View):
        """Refuse a view that the model cannot take, by trying it.

        A CNN rounds its feature maps up where a size does not fit its
        strides: then the heatmap shows more than the crop.
        """
        size = view.model_size
        wanted = resize_codec(self.codec, size, self.sigma_mode).heatmap_size
        check_backbone_takes(self.model.backbone, size, 'input_sizes')
        try:
            heatmaps = forward_once(self.model, size)
        except Exception as error:  # whatever the layers of a model raise
            raise ConfigError(
                'input_sizes', f'the model does not take {size_name(size)}: '
                f'{describe_error(error)}', 'choose another size') from error
        found = size_of(heatmaps)
        if found != wanted:
            raise ConfigError(
                'input_sizes', f'from {size_name(size)} the model makes a '
                f'heatmap of {size_name(found)}, not {size_name(wanted)}',
                'choose sizes that fit the strides of its backbone')

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
        keypoints, visible, _ = gather_keypoints(data_samples,
                                                 torch.device('cpu'))
        codec = resize_codec(self.codec, view.model_size, self.sigma_mode)
        heatmaps, _ = encode_batch(codec, keypoints, visible)
        decoded = decode_at_any_size(self.codec, self.sigma_mode, heatmaps)
        predictions = []
        for sample, prediction in zip(data_samples, decoded):
            sample = sample.new()
            corner = sample.input_center - 0.5 * sample.input_scale
            share = prediction.keypoints / sample.input_size
            prediction.keypoints = share * sample.input_scale + corner
            prediction.bboxes = sample.gt_instances.bboxes
            prediction.bbox_scores = sample.gt_instances.bbox_scores
            sample.pred_instances = prediction
            predictions.append(sample)
        return predictions


def forward_once(model: nn.Module, input_size: Size) -> Tensor:
    """Heatmaps (1, K, H, W) of an empty image of a size (w, h)."""
    width, height = input_size
    image = next(model.parameters()).new_zeros(1, 3, height, width)
    with evaluating(model):
        return model.head.forward(model.extract_feat(image))
