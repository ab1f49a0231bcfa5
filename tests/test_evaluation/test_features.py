"""Features against a backbone whose features are known beforehand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DATASETS, MODELS
from mmpose.structures.bbox import bbox_xyxy2cs
from torch import nn

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.features import (evaluating, extract_features,
                                            sample_at_keypoints)
from tests.toy import toy_dataset, toy_model, toy_pipeline

SIZES = [(48, 64), (96, 128), (24, 32)]
PERSONS = [5, 0, 3]
STRIDE = 8


@MODELS.register_module(force=True)
class PlaceBackbone(nn.Module):
    """Features are the place in the crop, 0 to 1, averaged over patches.

    Args:
        use_udp (bool): Whether 1 is the last pixel's centre, or the centre of
            the pixel behind it.
    """

    def __init__(self, use_udp):
        super().__init__()
        self.border = int(use_udp)

    def forward(self, x):
        height, width = x.shape[-2:]
        places = torch.stack(
            torch.meshgrid(
                torch.arange(width) / (width - self.border),
                torch.arange(height) / (height - self.border),
                indexing='xy'))
        maps = F.avg_pool2d(places.expand(len(x), -1, -1, -1), STRIDE)
        return torch.zeros(1), maps  # the last one counts


def place_model(use_udp):
    return MODELS.build(
        dict(
            toy_model(raf=False),
            backbone=dict(type='PlaceBackbone', use_udp=use_udp)))


def build_dataset(use_udp=True, **options):
    config = toy_dataset(8, augmented=False)
    config['pipeline'][-2]['use_udp'] = use_udp
    return DATASETS.build(dict(config, test_mode=True, **options))


def places_of(dataset, person):
    """Places of the keypoints in the frame of the crop, by hand."""
    data = dataset.get_data_info(person)
    center, scale = bbox_xyxy2cs(data['bbox'], padding=1.25)
    width, height = scale[0]
    # The crop is 3 by 4 and holds the whole box.
    frame = np.array([max(width, height * 3 / 4), max(height, width * 4 / 3)])
    return (data['keypoints'][0] - center[0]) / frame + .5


@pytest.mark.parametrize('use_udp', [True, False])
def test_features_are_those_at_the_keypoints_place(use_udp):
    """At every size, whether the frame is UDP's or not."""
    dataset = build_dataset(use_udp)
    dense = extract_features(place_model(use_udp), dataset, PERSONS,
                             SIZES).dense
    expected = np.concatenate(
        [places_of(dataset, person) for person in PERSONS])
    assert dense.values.dtype == np.float32
    assert len(dense) == len(SIZES) * len(expected)
    assert dense.sizes.tolist() == np.repeat([0, 1, 2], 9).tolist()
    assert dense.persons.tolist() == 3 * np.repeat(PERSONS, 3).tolist()
    for index, (width, height) in enumerate(SIZES):
        # Near the border, the features are those of the border's cell.
        margin = STRIDE / np.array([width, height]) / 2
        inner = ((expected > margin) & (expected < 1 - margin)).all(1)
        assert inner.sum() >= 5
        np.testing.assert_allclose(
            dense.values[dense.sizes == index][inner],
            expected[inner],
            atol=1e-5)


def test_pooled_features_are_the_mean_over_space():
    features = extract_features(
        place_model(True), build_dataset(), PERSONS, SIZES, batch_size=2)
    assert features.sizes == SIZES
    np.testing.assert_allclose(features.pooled.values, .5, atol=1e-6)
    assert features.pooled.sizes.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert features.pooled.persons.tolist() == PERSONS * 3


def test_batches_do_not_matter():
    model = MODELS.build(toy_model())
    sizes = [(48, 64), (16, 32)]
    first, second = (extract_features(
        model, build_dataset(), PERSONS, sizes, batch_size=number)
                     for number in (1, 3))
    for kind in ('pooled', 'dense'):
        np.testing.assert_allclose(
            getattr(first, kind).values,
            getattr(second, kind).values,
            atol=1e-5)


def test_hidden_and_outer_keypoints_do_not_count():
    dataset = build_dataset()
    dataset.data_list[5]['keypoints_visible'][0, 1] = 0
    dataset.data_list[3]['keypoints'][0, 2] = -500
    features = extract_features(place_model(True), dataset, PERSONS, SIZES)
    # Two of person 5, all of person 0, two of person 3, at each size.
    assert features.dense.persons.tolist() == 3 * [5, 5, 0, 0, 0, 3, 3]
    expected = places_of(dataset, 5)[[0, 2]]
    np.testing.assert_allclose(
        features.dense.values[7:9], expected, atol=.05)


def test_features_between_cells_are_interpolated():
    """Two cells of 4 pixels: their centres lie at pixels 1.5 and 5.5."""
    maps = torch.tensor([0., 1.]).expand(1, 1, 2, 2)
    x = torch.tensor([1.5, 3.5, 4.5, 5.5, 7., 0.])
    keypoints = torch.stack([x, torch.full_like(x, 3.)], -1)[None]
    sampled = sample_at_keypoints(maps, keypoints, (8, 8))
    torch.testing.assert_close(sampled[0, :, 0],
                               torch.tensor([0., .5, .75, 1., 1., 0.]))


def test_modes_are_restored():
    """Also those of parts that are frozen in a model in training."""
    model = MODELS.build(toy_model()).train()
    model.head.eval()
    before = [module.training for module in model.modules()]
    with pytest.raises(KeyError), evaluating(model):
        assert not any(module.training for module in model.modules())
        assert not torch.is_grad_enabled()
        raise KeyError
    assert [module.training for module in model.modules()] == before
    assert len(set(before)) == 2
    assert torch.is_grad_enabled()


def test_a_pipeline_without_a_crop_is_refused():
    pipeline = toy_pipeline(augmented=False)
    del pipeline[-2]
    dataset = build_dataset(pipeline=pipeline)
    with pytest.raises(ConfigError, match='val_dataloader.* TopdownAffine'):
        extract_features(place_model(True), dataset, PERSONS, SIZES)
