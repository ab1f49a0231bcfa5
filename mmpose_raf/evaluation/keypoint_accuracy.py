"""Accuracy of each keypoint by itself."""

from typing import Dict, List, Optional

import numpy as np
from mmpose.evaluation.functional import keypoint_pck_accuracy
from mmpose.evaluation.metrics import PCKAccuracy


class KeypointAccuracy(PCKAccuracy):
    """PCK of every keypoint, normalised by the longer side of the box.

    ``PCKAccuracy`` is the mean of these over the keypoints that are labelled.
    Arguments are those of ``PCKAccuracy``.
    """

    def compute_metrics(
            self, results: list) -> Dict[str, List[Optional[float]]]:
        """Share of right predictions of each keypoint, None if unlabelled."""
        predicted, truth, visible, box = (
            np.concatenate([result[key] for result in results])
            for key in ('pred_coords', 'gt_coords', 'mask', 'bbox_size'))
        accuracy, _, _ = keypoint_pck_accuracy(predicted, truth, visible,
                                               self.thr, box)
        return dict(keypoint_accuracy=[
            float(value) if value >= 0 else None for value in accuracy
        ])
