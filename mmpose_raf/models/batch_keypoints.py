"""The keypoints of a batch, on the model's device."""

from typing import Tuple

import numpy as np
import torch
from mmpose.utils.typing import SampleList
from torch import Tensor

from mmpose_raf.errors import ConfigError


def gather_keypoints(
        data_samples: SampleList,
        device: torch.device) -> Tuple[Tensor, Tensor, Tensor]:
    """Collect the keypoints of a batch in the pixels of its images.

    Args:
        data_samples (list[:obj:`PoseDataSample`]): Annotations, one instance
            each.
        device (torch.device): Where the result is wanted.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Coordinates (B, K, 2), visibility
        (B, K) and weights (B, K), float32. The weights are those of
        ``GenerateTarget`` where the pipeline has it (they may hold weights of
        the dataset), otherwise the visibility.

    Raises:
        ConfigError: If the pipeline has not packed the keypoints.
    """
    instances = [sample.gt_instances for sample in data_samples]
    if any('transformed_keypoints' not in instance for instance in instances):
        raise ConfigError(
            'train_pipeline.PackPoseInputs',
            'the keypoints of the crop are missing from the batch',
            'set pack_transformed=True')
    keypoints = np.concatenate(
        [instance.transformed_keypoints[..., :2] for instance in instances])
    visible = np.concatenate(
        [instance.keypoints_visible for instance in instances])
    if visible.ndim == 3:
        visible = visible[..., 0]
    # In one tensor: each transfer costs more than its few bytes.
    packed = np.concatenate((keypoints, visible[..., None]), -1)
    packed = _to_device(packed.astype(np.float32), device)
    visible = weights = packed[..., 2]
    # Not the visibility: a keypoint of weight 0.2 has a Gaussian as well.
    if 'keypoint_weights' in data_samples[0].get('gt_instance_labels', {}):
        weights = torch.cat([
            sample.gt_instance_labels.keypoint_weights
            for sample in data_samples
        ]).float()
    return packed[..., :2], visible, weights


def _to_device(array: np.ndarray, device: torch.device) -> Tensor:
    """Send an array to a device without waiting for what it is doing."""
    tensor = torch.from_numpy(array)
    if device.type == 'cuda':  # from other memory it would have to wait
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
