"""Where the poses come from that images are made for."""

from typing import List, Protocol, Sequence, Tuple

import torch
from mmpose.registry import DATASETS
from torch import Tensor

from mmpose_raf.building import build
from mmpose_raf.engine.preflight_data import check_dataset
from mmpose_raf.errors import ConfigError
from mmpose_raf.models.batch_keypoints import gather_keypoints
from mmpose_raf.sizes import size_of
from .pose_statistics import PoseStatistics, to_frame

FIELD = 'one_shot.pose_prior'
Poses = Tuple[Tensor, Tensor]


class PosePrior(Protocol):
    """Draws poses."""

    def draw(self, count: int, generator: torch.Generator) -> Poses:
        """Draw poses.

        Args:
            count (int): How many, B.
            generator (torch.Generator): Source of all choices.

        Returns:
            tuple[Tensor, Tensor]: Keypoints as shares of the crop (B, K, 2),
            and whether each is labelled, 1 or 0, (B, K); float32.
        """


class ClientPoses:
    """Poses like those of the clients: a Gaussian for each.

    A client is drawn by the number of its poses, then the coordinates from
    the Gaussian of its mean and covariance, and the labelled keypoints, each
    for itself, by how often they are.

    Args:
        statistics (list[PoseStatistics]): What the clients have sent.
    """

    def __init__(self, statistics: Sequence[PoseStatistics]):
        self.shares = torch.stack([own.poses for own in statistics])
        self.means = torch.stack([own.mean for own in statistics])
        self.frequencies = torch.stack(
            [own.frequencies for own in statistics])
        self.factors = torch.stack(
            [_root(own.covariance) for own in statistics])

    def draw(self, count: int, generator: torch.Generator) -> Poses:
        """Draw poses, see :class:`PosePrior`."""
        clients = torch.multinomial(
            self.shares, count, replacement=True, generator=generator)
        noise = torch.randn(
            count,
            self.means.shape[1],
            generator=generator,
            dtype=self.means.dtype)
        poses = self.means[clients] + torch.einsum('bij,bj->bi',
                                                   self.factors[clients],
                                                   noise)
        chances = self.frequencies[clients]
        labelled = torch.rand(
            chances.shape, generator=generator,
            dtype=chances.dtype) < chances
        return poses.unflatten(1, (-1, 2)).float(), labelled.float()


def _root(covariance: Tensor) -> Tensor:
    """A with A A' the nearest covariance matrix.

    With keypoints that are not always labelled the estimate may have
    negative eigenvalues.
    """
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp(min=0).sqrt()


class DatasetPoses:
    """Poses of a dataset that the server has; its images do not count.

    Args:
        dataset (dict): Config of a top-down dataset. Its pipeline crops and
            packs the keypoints of the crop.
        num_keypoints (int): Keypoints K of the model.
        use_udp (bool): Whether its codec is UDP.

    Raises:
        ConfigError: If it cannot be built, holds nothing, or other keypoints.
    """

    def __init__(self, dataset: dict, num_keypoints: int, use_udp: bool):
        check_dataset(dataset, FIELD)
        self.dataset = build(DATASETS, dataset, FIELD)
        self.use_udp = use_udp
        if len(self.dataset) == 0:
            raise ConfigError(FIELD, 'it has no samples',
                              'give it annotations with persons')
        found = self.draw(1, torch.Generator())[0].shape[1]
        if found != num_keypoints:
            raise ConfigError(
                FIELD, f'its poses have {found} keypoints, and the model '
                f'{num_keypoints}', 'use one of the same keypoints')

    def draw(self, count: int, generator: torch.Generator) -> Poses:
        """Draw poses, see :class:`PosePrior`."""
        chosen = torch.randint(
            len(self.dataset), (count, ), generator=generator)
        keypoints: List[Tensor] = []
        visible: List[Tensor] = []
        for index in chosen.tolist():
            sample = self.dataset[index]
            own, seen, _ = gather_keypoints([sample['data_samples']],
                                            torch.device('cpu'))
            keypoints.append(
                to_frame(own, size_of(sample['inputs']), self.use_udp))
            visible.append(seen)
        return torch.cat(keypoints), (torch.cat(visible) >= 0.5).float()
