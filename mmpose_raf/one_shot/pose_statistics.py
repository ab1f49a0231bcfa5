"""The poses of a client, as it sends them: their mean and covariance."""

from dataclasses import dataclass
from typing import Optional

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch import Tensor

from mmpose_raf.models.batch_keypoints import gather_keypoints
from mmpose_raf.models.codecs import is_udp
from mmpose_raf.sizes import Size, size_of

#: Where the statistics stand in a client's checkpoint.
KEY = 'pose_statistics'


def to_frame(keypoints: Tensor, size: Size, use_udp: bool) -> Tensor:
    """Keypoints (..., 2) in pixels as shares of the crop: its first pixel is
    0, its last (UDP), or what would follow it, 1."""
    return keypoints / keypoints.new_tensor(
        [side - int(use_udp) for side in size])


def from_frame(keypoints: Tensor, size: Size, use_udp: bool) -> Tensor:
    """The reverse of :func:`to_frame`."""
    return keypoints * keypoints.new_tensor(
        [side - int(use_udp) for side in size])


@dataclass
class PoseStatistics:
    """Sums over the poses of a client, from which their mean follows.

    Coordinates count where a keypoint is labelled, covariances where both
    are.

    Args:
        poses (Tensor): Number of poses, in shape ().
        labelled (Tensor): How often each keypoint is labelled, in shape
            (K, ).
        pairs (Tensor): How often two coordinates are both known, in shape
            (2K, 2K); x and y of a keypoint follow one another.
        first (Tensor): Sum of one coordinate over the poses that know both,
            (2K, 2K), that of the row.
        second (Tensor): Sum of the products of two, (2K, 2K).
    """

    poses: Tensor
    labelled: Tensor
    pairs: Tensor
    first: Tensor
    second: Tensor

    @classmethod
    def of_poses(cls, keypoints: Tensor, visible: Tensor) -> 'PoseStatistics':
        """Sum poses up.

        Args:
            keypoints (Tensor): Shares of the crop, in shape (B, K, 2).
            visible (Tensor): Whether each is labelled: 0.5 or more, in shape
                (B, K).
        """
        known = (visible >= 0.5).double()
        both = known.repeat_interleave(2, 1)
        values = keypoints.double().flatten(1).where(both > 0, 0.)
        return cls(
            torch.tensor(float(len(keypoints)), dtype=torch.float64),
            known.sum(0), both.T @ both, values.T @ both, values.T @ values)

    def __add__(self, other: 'PoseStatistics') -> 'PoseStatistics':
        return PoseStatistics(*(mine + vars(other)[name]
                                for name, mine in vars(self).items()))

    @property
    def frequencies(self) -> Tensor:
        """Tensor: Share of the poses in which each keypoint is labelled, in
        shape (K, )."""
        return self.labelled / self.poses

    @property
    def mean(self) -> Tensor:
        """Tensor: Mean coordinates, in shape (2K, ); 0.5 where none is
        known."""
        count = self.pairs.diagonal()
        return (self.first.diagonal() / count).where(count > 0, 0.5)

    @property
    def covariance(self) -> Tensor:
        """Tensor: In shape (2K, 2K); 0 where two were never known
        together."""
        count = self.pairs.clamp(min=1)
        return self.second / count - self.first / count * (
            self.first.T / count)


@HOOKS.register_module()
class PoseStatisticsHook(Hook):
    """Adds the statistics of the poses to the last checkpoint of a client.

    The poses are those of its last round, as the model sees them: augmented.
    """

    def __init__(self):
        self._sum: Optional[PoseStatistics] = None

    def before_train_epoch(self, runner):
        """Start a round."""
        self._sum = None

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        """Sum the poses of a batch up, if it is one of the last round."""
        if runner.epoch + 1 < runner.max_epochs:
            return
        samples = data_batch['data_samples']
        keypoints, visible, _ = gather_keypoints(samples, torch.device('cpu'))
        model = getattr(runner.model, 'module', runner.model)
        size = size_of(data_batch['inputs'][0])
        found = PoseStatistics.of_poses(
            to_frame(keypoints, size, is_udp(model.head.decoder)), visible)
        self._sum = found if self._sum is None else self._sum + found

    def before_save_checkpoint(self, runner, checkpoint: dict):
        """Add the statistics."""
        if self._sum is not None:
            checkpoint[KEY] = dict(vars(self._sum))
