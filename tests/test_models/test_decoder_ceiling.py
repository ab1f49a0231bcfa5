"""What a perfect model reaches at each size."""

import numpy as np
import pytest
import torch
from mmpose.codecs import MSRAHeatmap, UDPHeatmap

from mmpose_raf.models.codecs import SIGMA_MODES, resize_codec
from mmpose_raf.models.heatmap_decoding import decode_heatmaps
from mmpose_raf.models.heatmap_targets import encode_batch

CODECS = [
    UDPHeatmap((192, 256), (48, 64), sigma=2),
    MSRAHeatmap((192, 256), (48, 64), sigma=2, unbiased=True),
]


@pytest.mark.parametrize('size', [(48, 64), (72, 96), (96, 128), (144, 192),
                                  (192, 256), (384, 512)])
@pytest.mark.parametrize('mode', SIGMA_MODES)
@pytest.mark.parametrize('codec', CODECS, ids=['udp', 'msra'])
def test_no_keypoint_is_lost_down_to_64x48(codec, mode, size):
    """Everywhere in the crop, 99 % within 2 % of the person's box."""
    codec = resize_codec(codec, size, mode)
    is_udp = isinstance(codec, UDPHeatmap)
    # The last pixel of MSRA's heatmap lies three pixels inside the input's.
    reach = np.array(size) - (1 if is_udp else 4)
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0, 1, (30, 17, 2)) * reach
    heatmaps, weights = encode_batch(codec,
                                     torch.tensor(keypoints).float(),
                                     torch.ones(30, 17))
    assert (weights == 1).all()
    decoded = decode_heatmaps(codec, heatmaps)[0].numpy()
    if is_udp:  # MMPose scales its coordinates, 0 to w - 1, to 0 to w
        decoded *= (np.array(size) - 1) / size
    error = np.linalg.norm(decoded - keypoints, axis=-1)
    box = size[1] / 1.25  # the padding of MMPose's crops
    assert (error < .02 * box).mean() > .99
