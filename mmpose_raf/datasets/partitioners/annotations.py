"""Annotations of a dataset, read without loading or rendering an image."""

from typing import Any, Optional, Sequence

import numpy as np
from mmengine.dataset import (BaseDataset, ClassBalancedDataset, ConcatDataset,
                              RepeatDataset)
from mmpose.datasets import CombinedDataset

from mmpose_raf.errors import ConfigError

DATASET_FIELD = 'train_dataloader.dataset'


def check_dataset(dataset: Any) -> None:
    """Refuse datasets whose samples cannot be shared out among clients.

    Args:
        dataset (BaseDataset): The training dataset, or a wrapper of some.

    Raises:
        ConfigError: If the dataset is empty, if one sample has several
            indices, or if an index does not always mean the same sample.
    """
    if len(dataset) == 0:
        raise ConfigError(DATASET_FIELD, 'it holds no samples',
                          'check its ann_file and filter_cfg')
    _check_indices(dataset)


def _check_indices(dataset: Any) -> None:
    """Refuse wrappers that break "one index, one sample", at any depth."""
    if isinstance(dataset, (RepeatDataset, ClassBalancedDataset)):
        raise ConfigError(
            DATASET_FIELD,
            f'{type(dataset).__name__} repeats samples, so that several '
            'clients would hold the same one', 'use the dataset it wraps')
    if getattr(dataset, 'resample', False):
        raise ConfigError(
            DATASET_FIELD,
            f'{type(dataset).__name__} with sample_ratio_factor draws '
            'another sample at each access, so that no client keeps its own',
            'leave sample_ratio_factor out')
    if isinstance(dataset, (CombinedDataset, ConcatDataset)):
        for part in dataset.datasets:
            _check_indices(part)


def read_annotation(dataset: Any, index: int) -> dict:
    """Read the annotation of one sample.

    Subclasses of MMEngine's dataset extend ``get_data_info`` by what only
    training needs: MMPose's copy the meta information into every sample,
    others render the image there, and a combined dataset runs the pipelines
    of its parts. The annotation is complete without.

    Args:
        dataset (BaseDataset): A dataset that :func:`check_dataset` admits.
        index (int): Index of the sample.

    Returns:
        dict: The data info as ``load_data_list`` made it.
    """
    if isinstance(dataset, (CombinedDataset, ConcatDataset)):
        for part in dataset.datasets:
            if index < len(part):
                return read_annotation(part, index)
            index -= len(part)
    if isinstance(dataset, BaseDataset):
        return BaseDataset.get_data_info(dataset, index)
    return dataset.get_data_info(index)


def read_box_sizes(dataset: Any,
                   indices: Optional[Sequence[int]] = None) -> np.ndarray:
    """Read the sizes of the annotated boxes.

    Args:
        dataset (BaseDataset): A dataset of one instance a sample.
        indices (Sequence[int], optional): The samples to read. Defaults to
            None, i.e. all.

    Returns:
        np.ndarray: Width and height in source pixels, float64, in shape
        (N, 2).

    Raises:
        ConfigError: If a sample has not exactly one box.
    """
    if indices is None:
        indices = range(len(dataset))
    boxes = np.empty((len(indices), 4))
    for row, index in enumerate(indices):
        box = read_annotation(dataset, int(index)).get('bbox')
        if np.shape(box) != (1, 4):
            raise ConfigError(
                DATASET_FIELD,
                f"sample {index} has a 'bbox' of shape {np.shape(box)}"
                if box is not None else f"sample {index} has no 'bbox'",
                "use a dataset with data_mode='topdown', whose samples have "
                'one box in shape (1, 4)')
        boxes[row] = box[0]
    return boxes[:, 2:] - boxes[:, :2]
