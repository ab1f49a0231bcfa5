"""Features that a backbone gives the same persons at several sizes."""

from dataclasses import dataclass
from typing import List, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dataset import BaseDataset, Compose, pseudo_collate
from torch import Tensor, nn

from mmpose_raf.datasets.resized_pipeline import retarget_pipeline
from mmpose_raf.models.batch_keypoints import gather_keypoints
from mmpose_raf.models.evaluation_mode import evaluating
from mmpose_raf.sizes import Size

FIELD = 'val_dataloader.dataset.pipeline'


@dataclass(frozen=True)
class FeatureRows:
    """Feature vectors and where each comes from.

    Args:
        values (np.ndarray): Features, float32, in shape (N, C).
        persons (np.ndarray): Index of each row's person in the dataset, in
            shape (N, ).
        sizes (np.ndarray): Index of each row's size, in shape (N, ).
    """

    values: np.ndarray
    persons: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Features:
    """Features of the same persons at several sizes.

    Args:
        sizes (list[tuple[int, int]]): Input sizes (w, h) in pixels.
        pooled (FeatureRows): One row for each person and size.
        dense (FeatureRows): One row for each person, size and keypoint.
    """

    sizes: List[Size]
    pooled: FeatureRows
    dense: FeatureRows


def extract_features(model: nn.Module,
                     dataset: BaseDataset,
                     indices: Sequence[int],
                     sizes: Sequence[Size],
                     batch_size: int = 16) -> Features:
    """Extract the features of persons at several input sizes.

    At each size a person is cropped anew from the source image. Pooled
    features are the mean of the last feature map over space. Dense features
    are those at the annotated keypoints, see :func:`sample_at_keypoints`; a
    keypoint counts if it is visible and lies in the crop of every size, so
    that every size has the same body points.

    Args:
        model (BasePoseEstimator): The model, not wrapped. Its weights,
            buffers and modes are left as they are.
        dataset (BaseDataset): A top-down dataset in test mode, as built.
        indices (list[int]): Persons, as indices into the dataset.
        sizes (list[tuple[int, int]]): Input sizes (w, h) in pixels.
        batch_size (int): Persons in a batch. Defaults to 16.

    Returns:
        Features: Rows by size, then by person in the order of ``indices``,
        then by keypoint.

    Raises:
        ConfigError: If the dataset's pipeline does not crop persons.
    """
    with evaluating(model):
        columns = [
            _extract_at(model, dataset, indices, size, batch_size)
            for size in sizes
        ]
    pooled, dense, in_crop = zip(*columns)
    kept = np.all(in_crop, axis=0)
    persons = np.asarray(indices)
    of_keypoints = np.repeat(persons, kept.sum(1))
    return Features([tuple(size) for size in sizes],
                    _stack(pooled, persons),
                    _stack([values[kept] for values in dense], of_keypoints))


def _stack(columns: Sequence[np.ndarray], persons: np.ndarray) -> FeatureRows:
    """Put the rows of all sizes below one another."""
    return FeatureRows(
        np.concatenate(columns), np.tile(persons, len(columns)),
        np.repeat(np.arange(len(columns)), len(persons)))


def _extract_at(model: nn.Module, dataset: BaseDataset,
                indices: Sequence[int], size: Size, batch_size: int):
    """Pooled (N, C) and dense (N, K, C) features, and what counts (N, K)."""
    batches = []
    for start in range(0, len(indices), batch_size):
        batch = crop_persons(dataset, indices[start:start + batch_size], size)
        maps, samples = feature_map(model, batch)
        keypoints, visible, _ = gather_keypoints(samples, maps.device)
        border = keypoints.new_tensor(size) - 1
        is_inside = ((keypoints >= 0) & (keypoints <= border)).all(-1)
        batches.append((maps.mean((2, 3)),
                        sample_at_keypoints(maps, keypoints, size),
                        is_inside & (visible > 0)))
    return [torch.cat(parts).cpu().numpy() for parts in zip(*batches)]


def crop_persons(dataset: BaseDataset, indices: Sequence[int],
                 size: Size) -> dict:
    """Crop persons at a size, straight from their source images.

    Args:
        dataset (BaseDataset): A top-down dataset in test mode, as built.
        indices (list[int]): Persons, as indices into the dataset.
        size (tuple[int, int]): Input size (w, h) in pixels.

    Returns:
        dict: A batch for the model's data preprocessor, with the keypoints
        of the crop.

    Raises:
        ConfigError: If the dataset's pipeline does not crop persons.
    """
    pipeline = Compose(
        retarget_pipeline(
            dataset.pipeline.transforms, size, 'pixel', field=FIELD))
    return pseudo_collate(
        [pipeline(dataset.get_data_info(index)) for index in indices])


def feature_map(model: nn.Module, batch: dict) -> Tuple[Tensor, list]:
    """Give a batch to the backbone, and to the neck if there is one.

    Args:
        model (BasePoseEstimator): The model, see :func:`evaluating`.
        batch (dict): A collated batch.

    Returns:
        tuple[Tensor, list]: The last feature map in shape (B, C, h, w), in
        float32, and the data samples.
    """
    data = model.data_preprocessor(batch, False)
    maps = model.extract_feat(data['inputs'])[-1]
    return maps.float(), data['data_samples']


def sample_at_keypoints(maps: Tensor, keypoints: Tensor,
                        input_size: Size) -> Tensor:
    """Sample feature maps at keypoints, bilinearly.

    The cells of a map tile the crop without a gap, as the patches of a ViT
    do: with cells of s pixels, the pixel x lies at (x + 0.5) / s - 0.5 in
    the map. That holds with and without UDP, which moves image and keypoints
    alike and thus only decides what the crop's border pixels show. Within
    half a cell of the border the features are those of the border cell.

    Args:
        maps (Tensor): Feature maps in shape (B, C, h, w).
        keypoints (Tensor): Coordinates in pixels of the crop, whose first
            pixel has its centre at 0, in shape (B, K, 2).
        input_size (tuple[int, int]): Size (w, h) of the crop in pixels.

    Returns:
        Tensor: Features in shape (B, K, C).
    """
    grid = (2 * keypoints + 1) / keypoints.new_tensor(input_size) - 1
    sampled = F.grid_sample(
        maps,
        grid[:, None],
        mode='bilinear',
        padding_mode='border',
        align_corners=False)
    return sampled[:, :, 0].mT
