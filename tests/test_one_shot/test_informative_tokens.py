"""Which patches carry information: by hand."""

import numpy as np
import pytest
import torch
from mmpose.registry import MODELS

from mmpose_raf.one_shot.informative_tokens import (attention_to_patches,
                                                    choose_informative,
                                                    last_qkv, pose_on_patches,
                                                    to_pixels)
from tests.toy import toy_model


@pytest.mark.parametrize('num_extra', [0, 1])
def test_attention_in_loops(num_extra):
    torch.manual_seed(0)
    heads, width, patches = 2, 3, 4
    qkv = torch.randn(2, num_extra + patches, 3 * heads * width)
    shares = torch.rand(2, patches)
    got = attention_to_patches(qkv, heads, shares)
    for b in range(2):
        expected = np.zeros(patches)
        for h in range(heads):
            part = qkv[b].numpy().reshape(-1, 3, heads, width)[:, :, h]
            query, key = part[:, 0], part[:, 1]
            for q in range(patches):
                scores = np.exp(key @ query[num_extra + q] / width**.5)
                expected += shares[b, q].item() / heads * (
                    scores / scores.sum())[num_extra:]
        np.testing.assert_allclose(got[b], expected, rtol=1e-5)


def test_where_a_pose_lies():
    """On a grid of 4x4 a heatmap of 8x8: row 3 and column 5 are patch 6."""
    heatmaps = torch.zeros(2, 2, 8, 8)
    heatmaps[0, 0, 3, 5] = 3.
    heatmaps[0, 1, 7, 0] = 1.
    shares, has_peak = pose_on_patches(heatmaps, (4, 4))
    expected = torch.zeros(16)
    expected[6], expected[12] = .75, .25
    torch.testing.assert_close(shares[0], expected)
    assert has_peak[0].nonzero().flatten().tolist() == [6, 12]
    # Without a pose no patch is before the others.
    torch.testing.assert_close(shares[1], torch.full((16, ), 1 / 16))
    assert not has_peak[1].any()


@pytest.mark.parametrize('share, expected', [
    (.5, [True, True, False, False]),
    (.75, [True, True, False, True]),
    (.01, [False, True, False, False]),
    (1., [True] * 4),
])
def test_keypoints_come_first_then_attention(share, expected):
    attention = torch.tensor([[.5, .05, .15, .3]])
    has_peak = torch.tensor([[False, True, False, False]])
    chosen = choose_informative(attention, has_peak, share)
    assert chosen.tolist() == [expected]


def test_patches_as_pixels():
    chosen = torch.tensor([[True, False, False, True, True, False]])
    got = to_pixels(chosen, (2, 3), (4, 6))
    rows = [[1, 1, 0, 0, 0, 0]] * 2 + [[1, 1, 1, 1, 0, 0]] * 2
    assert got.int().tolist() == [[rows]]
    # A grid that is finer than the map: the patch over the pixel's centre.
    assert to_pixels(chosen, (2, 3), (1, 3)).tolist() == [[[[True, True,
                                                            False]]]]


def test_the_last_attention_is_noted():
    model = MODELS.build(toy_model())
    with last_qkv([model]) as found:
        model.extract_feat(torch.rand(2, 3, 64, 48))
    (qkv, ) = found
    assert qkv.shape == (2, 12, 48) and not qkv.requires_grad
    model.extract_feat(torch.rand(2, 3, 64, 48))
    assert len(found) == 1
