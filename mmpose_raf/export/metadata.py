"""What the user of an exported model has to know, beside its weights."""

import json
from typing import Dict

from torch import nn

from mmpose_raf.models.codecs import is_udp
from mmpose_raf.version import __version__
from .deployed_model import (DeployedModel, normalization_of,
                             reverses_channels)
from .input_sizes import (fitted_levels, max_height_of, multiple_of,
                          training_sizes)

# GetBBoxCenterScale's own default.
PADDING = 1.25


def describe_model(model: DeployedModel) -> Dict[str, str]:
    """Describe inputs and outputs.

    Args:
        model (DeployedModel): A model from :func:`load_trained_model`, ready
            for export.

    Returns:
        dict[str, str]: JSON texts by their keys:

        - ``input``: ``layout``, ``dtype``, ``channels``, and where the
          program has to normalise, ``mean`` and ``std`` of each channel
        - ``training_sizes``: sizes [height, width] from high to low
        - ``fitted_sizes``: of these the sizes within whose range the graph
          itself enlarges or reduces inputs of their aspect ratio; none if
          it takes them as they are
        - ``size_multiple``, ``max_height``: what sides the graph takes
        - ``bbox_padding``: the crop's size relative to the person's box
        - ``use_udp``: whether the crop's first and last pixel centres lie on
          its borders (UDP, Huang et al., CVPR 2020)
        - ``keypoints``: their names; ``skeleton``: pairs of them that are
          drawn; ``flip_indices``: each one's counterpart in the mirror
        - ``mmpose_raf``: the version that has exported
    """
    estimator = model.estimator
    meta = estimator.dataset_meta
    names = meta['keypoint_id2name']
    values = dict(
        input=_describe_input(model),
        training_sizes=[size[::-1] for size in training_sizes(estimator)],
        fitted_sizes=[size[::-1] for size in fitted_levels(estimator)],
        size_multiple=multiple_of(estimator),
        max_height=max_height_of(estimator),
        bbox_padding=_find_padding(estimator),
        use_udp=is_udp(estimator.head.decoder),
        keypoints=[names[index] for index in sorted(names)],
        skeleton=[list(map(int, link)) for link in meta['skeleton_links']],
        flip_indices=[int(index) for index in meta['flip_indices']],
        mmpose_raf=__version__)
    return {key: json.dumps(value) for key, value in values.items()}


def _describe_input(model: DeployedModel) -> dict:
    if model.normalize is not None:
        return dict(layout='NHWC', dtype='uint8', channels='BGR')
    mean, std = normalization_of(model.estimator)
    channels = 'RGB' if reverses_channels(model.estimator) else 'BGR'
    return dict(
        layout='NCHW', dtype='float32', channels=channels, mean=mean, std=std)


def _find_padding(estimator: nn.Module) -> float:
    for step in estimator.cfg.test_dataloader.dataset.pipeline:
        if step['type'] == 'GetBBoxCenterScale':
            return step.get('padding', PADDING)
    return PADDING
