"""The decoder that goes into a graph against known keypoints."""

import numpy as np
import pytest
import torch
from mmpose.models.heads import HeatmapHead

from mmpose_raf.errors import ConfigError
from mmpose_raf.export.heatmap_decoder import HeatmapDecoder
from mmpose_raf.models import AnyResolutionHeatmapHead
from tests.test_export.drawn_heatmaps import gaussians


def head(cls=AnyResolutionHeatmapHead, codec='UDPHeatmap', **options):
    codec = dict(
        type=codec,
        input_size=(96, 128),
        heatmap_size=(24, 32),
        sigma=1.5,
        **options.pop('codec_options', {}))
    return cls(4, 3, decoder=codec, **options)


@pytest.mark.parametrize('size', [(24, 32), (12, 16), (48, 64), (32, 16)])
@pytest.mark.parametrize('sigma_mode', ['pixel', 'relative'])
def test_udp_keypoints_are_found(size, sigma_mode):
    sigma = 1.5 if sigma_mode == 'pixel' else 1.5 * size[1] / 32
    unit = np.array(size) * 4 / (np.array(size) - 1)
    keypoints = np.array([[4 * size[0] * .5, 4 * size[1] * .25],
                          [17.3, 21.8], [4 * size[0] * .75, 40.1]])
    decoder = HeatmapDecoder(head(sigma_mode=sigma_mode), 256)
    found, scores = decoder(gaussians(keypoints, sigma, size, unit))
    # Of a Gaussian narrower than a pixel little is seen.
    np.testing.assert_allclose(
        found[0], keypoints, atol=.1 if sigma >= 1.5 else 1)
    assert (scores > .6).all()


def test_keypoints_of_unbiased_msra():
    decoder = HeatmapDecoder(
        head(codec='MSRAHeatmap', codec_options=dict(unbiased=True)), 256)
    keypoints = np.array([[30.2, 41.7], [50., 60.]])
    found, _ = decoder(gaussians(keypoints, 1.5, (24, 32), 4))
    np.testing.assert_allclose(found[0], keypoints, atol=.1)


@pytest.mark.parametrize('size', [(24, 32), (9, 4), (60, 64), (8, 3)])
@pytest.mark.parametrize('sigma_mode', ['pixel', 'relative'])
def test_keypoints_are_the_heads(size, sigma_mode):
    """At every size and border, in noise."""
    model = head(sigma_mode=sigma_mode)
    keypoints = np.random.default_rng(0).uniform(0, size, (15, 2))
    heatmaps = gaussians(keypoints, 1.5, size, 1).view(5, 3, *size[::-1])
    heatmaps += .02 * torch.rand_like(heatmaps)
    heatmaps[0, 0] = -1  # nothing there
    found, scores = HeatmapDecoder(model, 256)(heatmaps)
    for i, expected in enumerate(model.decode(heatmaps)):
        np.testing.assert_allclose(
            found[i], expected.keypoints[0], atol=1e-3)
        np.testing.assert_allclose(scores[i], expected.keypoint_scores[0])


def test_biased_msra_is_refused():
    with pytest.raises(ConfigError, match='export without decoding'):
        HeatmapDecoder(head(HeatmapHead, 'MSRAHeatmap'), 256)
