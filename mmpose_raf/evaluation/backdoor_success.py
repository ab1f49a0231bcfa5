"""How often a backdoor works."""

from typing import Dict, List, Sequence, Tuple

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS


@METRICS.register_module()
class BackdoorSuccess(BaseMetric):
    """Share of persons whose joint is found where a backdoor wants it.

    Found: the prediction lies within ``thr`` of the longer side of the box
    from the joint's place moved by ``shift``. Persons whose joint is not
    labelled, or would be moved out of the crop, do not count. For a model
    without the backdoor it says how often that happens by chance.

    Args:
        joint (int): See :class:`BackdoorPatch`.
        shift (tuple[float, float]): See :class:`BackdoorPatch`.
        thr (float): Threshold as a share of the box. Defaults to 0.1.
    """

    def __init__(self,
                 joint: int,
                 shift: Tuple[float, float] = (0.25, 0.),
                 thr: float = 0.1,
                 **kwargs):
        super().__init__(**kwargs)
        self.joint = joint
        self.shift = np.array(shift)
        self.thr = thr

    def process(self, data_batch: Sequence[dict],
                data_samples: Sequence[dict]):
        """Compare the joint of each person."""
        for sample in data_samples:
            truth = sample['gt_instances']
            visible = np.reshape(
                truth['keypoints_visible'],
                truth['keypoints'].shape[:2] + (-1, ))[0, self.joint, 0]
            scale = np.array(sample['input_scale'])
            target = truth['keypoints'][0, self.joint, :2] + self.shift * scale
            inside = np.abs(target - sample['input_center']) < scale / 2
            if not (visible and inside.all()):
                continue
            corners = truth['bboxes'][0]
            predicted = sample['pred_instances']['keypoints'][0, self.joint]
            distance = np.linalg.norm(predicted[:2] - target)
            self.results.append(
                bool(distance < self.thr * np.max(corners[2:] - corners[:2])))

    def compute_metrics(self, results: List[bool]) -> Dict[str, float]:
        """The share, NaN if nobody counts."""
        return dict(backdoor_success=float(np.mean(results))
                    if results else float('nan'))
