"""Every person at several resolutions."""

import numpy as np
import pytest
from mmengine.registry import DATASETS, TRANSFORMS

from mmpose_raf.datasets.multi_view_dataset import (CollateViews,
                                                    MultiViewDataset)
from mmpose_raf.errors import ConfigError
from tests.toy import toy_dataset, toy_pipeline

SIZES = [(16, 32), (48, 64), (64, 96)]


@TRANSFORMS.register_module(force=True)
class Spoil:
    """Writes into what it gets, as a transform of somebody else may."""

    def __init__(self, discard=False):
        self.discard = discard

    def __call__(self, data):
        data['keypoints'] += 1
        data['bbox_center'] *= 0.5
        return None if self.discard else data


def build(transforms=(), at=2):
    """A dataset in test mode, with more transforms before or after the crop
    (index 2)."""
    config = dict(toy_dataset(3, augmented=False), test_mode=True)
    config['pipeline'][at:at] = list(transforms)
    return DATASETS.build(config)


def test_each_view_is_the_crop_of_its_own_pipeline():
    dataset = MultiViewDataset(build(), [(size, None) for size in SIZES],
                               'pixel')
    assert len(dataset) == 3
    assert dataset.metainfo['dataset_name'] == 'toy'
    for index in range(3):
        for view, size in zip(dataset[index], SIZES):
            config = dict(toy_dataset(3), test_mode=True)
            config['pipeline'] = toy_pipeline(size, augmented=False)
            expected = DATASETS.build(config)[index]
            assert (view['inputs'] == expected['inputs']).all()
            sample = view['data_samples']
            assert sample.sample_index == index
            for key in ('img_id', 'input_size', 'input_center',
                        'input_scale'):
                np.testing.assert_array_equal(
                    sample.get(key), expected['data_samples'].get(key))
            for key, value in sample.gt_instances.items():
                np.testing.assert_array_equal(
                    value, expected['data_samples'].gt_instances[key])


def test_views_do_not_spoil_each_other():
    """Before the crop a transform acts once, after it once in each view."""
    plain = MultiViewDataset(build(), [(SIZES[1], None)] * 3, 'pixel')[0]
    after = MultiViewDataset(build([dict(type='Spoil')], at=3),
                             [(SIZES[1], None)] * 3, 'pixel')[0]
    truth = plain[0]['data_samples'].gt_instances.keypoints
    for view in after:
        np.testing.assert_allclose(
            view['data_samples'].gt_instances.keypoints, truth + 1)
        assert (view['inputs'] == plain[0]['inputs']).all()
    before = MultiViewDataset(build([dict(type='Spoil')]),
                              [(SIZES[1], None)] * 3, 'pixel')[0]
    for view in before:
        np.testing.assert_allclose(
            view['data_samples'].gt_instances.keypoints, truth + 1)
        assert (view['inputs'] == before[0]['inputs']).all()


@pytest.mark.parametrize('at', [2, 3])
def test_a_discarded_sample_is_told(at):
    dataset = MultiViewDataset(build([dict(type='Spoil', discard=True)], at),
                               [(size, None) for size in SIZES], 'pixel')
    with pytest.raises(RuntimeError, match='discarded sample 2'):
        dataset[2]


def test_a_pipeline_without_a_crop_is_refused():
    dataset = build()
    dataset.pipeline.transforms = dataset.pipeline.transforms[:2]
    with pytest.raises(ConfigError, match='no TopdownAffine') as error:
        MultiViewDataset(dataset, [(SIZES[0], None)], 'pixel')
    assert error.value.field == 'dataset.pipeline'


def test_batches_are_collated_view_by_view():
    collate = CollateViews(tuple)
    assert collate([['a1', 'a2', 'a3'], ['b1', 'b2', 'b3']]) == [
        ('a1', 'b1'), ('a2', 'b2'), ('a3', 'b3')
    ]
