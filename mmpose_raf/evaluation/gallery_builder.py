"""Collects the first persons of an evaluation for the gallery."""

from typing import Dict, Sequence

import numpy as np
from mmengine.structures import BaseDataElement
from torch import Tensor

from .drift_gallery import ARRAYS, DriftGallery, GalleryView


class GalleryBuilder:
    """Keeps crops and predictions of the first persons of each view.

    Args:
        dataset_meta (dict): Meta information of the dataset, with the
            skeleton.
        num_persons (int): How many persons to keep.
    """

    def __init__(self, dataset_meta: dict, num_persons: int):
        self.skeleton = np.array(
            dataset_meta['skeleton_links'], dtype=int).reshape(-1, 2)
        self.num_persons = num_persons
        self.rows: Dict[str, list] = {}

    def add(self, name: str, crops: Sequence[Tensor],
            predictions: Sequence[BaseDataElement]):
        """Add a batch of one view, until there are enough persons.

        Args:
            name (str): Name of the view.
            crops (list[Tensor]): What the model got, BGR, in [0, 255], in
                shape (3, h, w) each.
            predictions (list[PoseDataSample]): Samples with predictions.
        """
        rows = self.rows.setdefault(name, [])
        room = self.num_persons - len(rows)
        rows += [
            _row_of(crop, sample)
            for crop, sample in list(zip(crops, predictions))[:room]
        ]

    def build(self) -> DriftGallery:
        """Return the gallery of all views."""
        views = [
            GalleryView(
                name, **{
                    key: np.stack(part)
                    for key, part in zip(ARRAYS, zip(*rows))
                }) for name, rows in self.rows.items()
        ]
        return DriftGallery(views, self.skeleton)


def _row_of(crop: Tensor, sample: BaseDataElement) -> tuple:
    """One person in the order of :data:`ARRAYS`."""
    image = crop.permute(1, 2, 0).cpu().numpy().round().astype(np.uint8)
    corner = sample.input_center - 0.5 * sample.input_scale
    truth, predicted = sample.gt_instances, sample.pred_instances

    def in_crop(keypoints: np.ndarray) -> np.ndarray:
        return (keypoints[0, :, :2] - corner) / sample.input_scale

    scores = predicted.keypoint_scores[0]
    visible = truth.keypoints_visible
    # KeypointConverter puts weights beside the visibility.
    visible = (visible[..., 0] if visible.ndim == 3 else visible)[0] > 0
    return (image[..., ::-1], in_crop(predicted.keypoints), scores,
            in_crop(truth.keypoints), visible)
