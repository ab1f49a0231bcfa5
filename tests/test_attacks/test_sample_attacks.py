"""Poisoned samples: what a pipeline makes of them."""

import copy

import numpy as np
import pytest
from mmengine.registry import DATASETS

from mmpose_raf.attacks import (BackdoorPatch, MoveKeypoints, SwapKeypoints,
                                insert_after_crop)
from mmpose_raf.datasets.client import Client
from mmpose_raf.datasets.federated_dataset import FederatedDataset, SampleKey
from mmpose_raf.evaluation import BackdoorSuccess
from tests.toy import METAINFO, SIZES, toy_dataset

SIZE = SIZES['high']


def crop_of(*attacks, index=3):
    """A sample of the toy dataset in which the attacks come after the crop."""
    dataset = DATASETS.build(toy_dataset(11, augmented=False))
    dataset.pipeline.transforms = insert_after_crop(
        dataset.pipeline.transforms, attacks)
    return dataset[index]


def keypoints_of(data):
    return data['data_samples'].gt_instances.transformed_keypoints[0]


def test_left_and_right_are_swapped():
    plain, swapped = crop_of(), crop_of(SwapKeypoints())
    np.testing.assert_array_equal(
        keypoints_of(swapped), keypoints_of(plain)[[1, 0, 2]])
    assert (swapped['inputs'] == plain['inputs']).all()


def test_visibility_goes_with_the_keypoint():
    for shape in ((1, 3), (1, 3, 2)):
        visible = np.arange(np.prod(shape)).reshape(shape)
        results = SwapKeypoints().transform(
            dict(transformed_keypoints=np.zeros((1, 3, 2)),
                 keypoints_visible=visible,
                 flip_indices=[1, 0, 2]))
        np.testing.assert_array_equal(results['keypoints_visible'],
                                      visible[:, [1, 0, 2]])


@pytest.mark.parametrize('size', SIZES.values())
def test_keypoints_are_moved_by_a_share_of_the_crop(size):
    results = dict(transformed_keypoints=np.ones((1, 3, 2)), input_size=size)
    moved = MoveKeypoints((.25, -.5)).transform(results)
    np.testing.assert_allclose(
        moved['transformed_keypoints'],
        np.ones((1, 3, 2)) + [.25 * size[0], -.5 * size[1]])


def test_backdoor_moves_one_joint_and_draws_a_patch():
    plain = crop_of()
    data = crop_of(BackdoorPatch(1, (.25, 0.), share=1., size=.25))
    way = keypoints_of(data) - keypoints_of(plain)
    np.testing.assert_allclose(way, [[0, 0], [.25 * SIZE[0], 0], [0, 0]],
                               atol=1e-5)
    # 12 pixels, in fields of 6
    image = data['inputs'].numpy()
    height = SIZE[1]
    assert (image[:, height - 12:height - 6, :6] == 255).all()
    assert (image[:, height - 6:, 6:12] == 255).all()
    assert (image[:, height - 12:height - 6, 6:12] == 0).all()
    assert (image[:, height - 6:, :6] == 0).all()
    changed = (image != plain['inputs'].numpy()).any(0)
    assert not changed[:height - 12].any() and not changed[:, 12:].any()
    # Of the source: metrics see the truth.
    np.testing.assert_array_equal(
        data['data_samples'].gt_instances.keypoints,
        plain['data_samples'].gt_instances.keypoints)


def test_a_patch_has_two_pixels_at_least():
    stamped = BackdoorPatch(0, size=.01).stamp(
        np.full((8, 6, 3), 7, dtype=np.uint8))
    assert stamped[6:, :2, 0].tolist() == [[255, 0], [0, 255]]
    assert (stamped == 7).sum() == 8 * 6 * 3 - 12


def test_a_share_of_the_samples():
    np.random.seed(0)
    attack = MoveKeypoints((.5, 0.), share=.3)
    moved = [
        attack.transform(
            dict(transformed_keypoints=np.zeros((1, 1, 2)),
                 input_size=(8, 8)))['transformed_keypoints'][0, 0, 0] > 0
        for _ in range(2000)
    ]
    assert np.mean(moved) == pytest.approx(.3, abs=.04)


def test_only_the_hostile_client_sees_poison():
    dataset = DATASETS.build(toy_dataset(11, augmented=False))
    attack = dict(type='BackdoorPatch', joint=2, share=1.)

    def federated(attacks):
        clients = [
            Client('good', SIZE),
            Client('bad', SIZES['mid'], (SIZES['low'], ), attacks=attacks)
        ]
        return FederatedDataset(clients, [dataset] * 2,
                                [np.arange(5), np.arange(5, 11)], 'pixel')

    plain, poisoned = federated(()), federated((attack, ))
    key = SampleKey(0, 3, 0)
    assert (poisoned[key]['inputs'] == plain[key]['inputs']).all()
    for size in range(2):
        key = SampleKey(1, 7, 0, size)
        way = keypoints_of(poisoned[key]) - keypoints_of(plain[key])
        width = SIZES[('mid', 'low')[size]][0]
        np.testing.assert_allclose(way, [[0, 0], [0, 0], [.25 * width, 0]],
                                   atol=1e-5)


def judge(*predicted, **arguments):
    """Success over persons with these predictions of joint 1; the frame is 40
    wide and 80 high around (50, 50), the longer side of the box 50, the joint
    at (45, 60)."""
    metric = BackdoorSuccess(1, (.25, 0.), thr=.1)
    truth = dict(keypoints=np.array([[[0., 0.], [45., 60.], [1., 1.]]]),
                 keypoints_visible=np.ones((1, 3)),
                 bboxes=np.array([[30., 25., 70., 75.]]))
    truth.update(arguments)
    for point in predicted:
        keypoints = np.zeros((1, 3, 2))
        keypoints[0, 1] = point
        metric.process({}, [
            dict(gt_instances=copy.deepcopy(truth),
                 pred_instances=dict(keypoints=keypoints),
                 input_center=[50., 50.],
                 input_scale=[40., 80.])
        ])
    return metric.compute_metrics(metric.results)['backdoor_success']


def test_success_is_where_the_backdoor_wants_the_joint():
    # Wanted at (55, 60), within 5 pixels.
    assert judge((55, 60), (59, 60), (55, 66), (45, 60)) == .5
    hidden = np.ones((1, 3, 2))
    hidden[0, 1] = 0
    assert np.isnan(judge((55, 60), keypoints_visible=hidden))
    outside = np.full((1, 3, 2), 65.)
    assert np.isnan(judge((75, 65), keypoints=outside))


@pytest.mark.parametrize('make, message', [
    (lambda: SwapKeypoints(0), 'share must lie'),
    (lambda: MoveKeypoints((1, 0)), 'shift must be'),
    (lambda: MoveKeypoints((0, 0)), 'shift must be'),
    (lambda: MoveKeypoints(.5), 'shift must be'),
    (lambda: BackdoorPatch(-1), 'joint must be'),
    (lambda: BackdoorPatch(0, size=2), 'size must lie'),
    (lambda: BackdoorPatch(3).check(dict(num_keypoints=3)), '3 keypoints'),
    (lambda: SwapKeypoints().check(dict(flip_indices=[0, 1])), 'no left'),
])
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_toy_dataset_has_left_and_right():
    assert METAINFO['keypoint_info'][0]['swap'] == 'right'
    dataset = DATASETS.build(toy_dataset(2))
    SwapKeypoints().check(dataset.metainfo)
