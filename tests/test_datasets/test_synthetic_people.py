import dataclasses
import pickle
import random
from functools import lru_cache

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from mmpose.datasets.transforms import (GenerateTarget, GetBBoxCenterScale,
                                        LoadImage, PackPoseInputs,
                                        RandomBBoxTransform, RandomFlip,
                                        RandomHalfBody, TopdownAffine)
from mmpose.evaluation.metrics import CocoMetric, PCKAccuracy
from torch.utils.data import DataLoader

from mmpose_raf.datasets.people.figure import draw_part_map, sample_figure
from mmpose_raf.datasets.people.parts import KEYPOINTS
from mmpose_raf.datasets.people.rendering import draw_scene, render_figure
from mmpose_raf.datasets.synthetic_people import SyntheticPoseDataset
from mmpose_raf.errors import ConfigError

SIZE = (576, 768)
CODEC = dict(
    type='UDPHeatmap', input_size=(192, 256), heatmap_size=(48, 64), sigma=2)


def build_train_pipeline():
    return [
        LoadImage(),
        GetBBoxCenterScale(),
        RandomFlip(direction='horizontal'),
        RandomHalfBody(prob=0.5),
        RandomBBoxTransform(),
        TopdownAffine(input_size=(192, 256), use_udp=True),
        GenerateTarget(encoder=CODEC),
        PackPoseInputs()
    ]


def build_test_pipeline():
    return [
        LoadImage(),
        GetBBoxCenterScale(),
        TopdownAffine(input_size=(192, 256), use_udp=True),
        PackPoseInputs()
    ]


def build_rng(index, seed=0):
    return np.random.default_rng(np.random.SeedSequence([seed, index]))


@lru_cache(maxsize=None)
def get_figures(count=300):
    return [sample_figure(build_rng(i), SIZE) for i in range(count)]


def assert_same_info(first, second):
    assert first['img'].tobytes() == second['img'].tobytes()
    for key in ('keypoints', 'keypoints_visible', 'bbox', 'area'):
        np.testing.assert_array_equal(first[key], second[key])
    assert first['raw_ann_info'] == second['raw_ann_info']


def is_own(keypoint, part):
    """Whether a keypoint lies on a part, told by their names."""
    side, _, joint = keypoint.rpartition('_')
    parts = dict(
        nose=['face'],
        eye=['face'],
        ear=[f'{side}_ear'],
        shoulder=['torso', f'{side}_upper_arm'],
        elbow=[f'{side}_upper_arm', f'{side}_forearm'],
        wrist=[f'{side}_forearm', f'{side}_hand'],
        hip=['torso', 'pelvis', 'skirt', f'{side}_thigh'],
        knee=[f'{side}_thigh', f'{side}_shank'],
        ankle=[f'{side}_shank', f'{side}_foot'])
    return part in parts[joint]


class TestSamples:

    def test_samples_have_the_fields_of_coco(self):
        info = SyntheticPoseDataset(3, seed=4).get_data_info(2)
        assert info['img'].shape == (768, 576, 3)
        assert info['img'].dtype == np.uint8
        assert info['keypoints'].shape == (1, 17, 2)
        assert info['keypoints_visible'].shape == (1, 17)
        assert info['bbox'].shape == (1, 4)
        assert info['img_id'] == 2 and info['id'] == 3
        assert info['category_id'] == 1 and info['iscrowd'] == 0
        assert info['img_path'] == 'synthetic/seed4/000002.png'

    def test_sample_depends_on_seed_and_index_alone(self):
        dataset = SyntheticPoseDataset(6, seed=1, image_size=(96, 128))
        other = SyntheticPoseDataset(
            3, seed=1, image_size=(96, 128), serialize_data=False)
        for idx in (2, 0, 2):
            assert_same_info(
                dataset.get_data_info(idx), other.get_data_info(idx))

    def test_seeds_and_indices_differ(self):
        first = SyntheticPoseDataset(2, seed=0, image_size=(96, 128))
        second = SyntheticPoseDataset(2, seed=1, image_size=(96, 128))
        infos = [first.get_data_info(0), first.get_data_info(1),
                 second.get_data_info(0)]  # yapf: disable
        assert len({info['img'].tobytes() for info in infos}) == 3
        assert len({info['keypoints'].tobytes() for info in infos}) == 3

    def test_global_random_state_is_left_alone(self):
        infos = []
        for seed in (0, 1):
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
            before = (random.getstate(), np.random.get_state()[1].tobytes(),
                      torch.get_rng_state().numpy().tobytes())
            dataset = SyntheticPoseDataset(2, image_size=(96, 128))
            infos.append(dataset.get_data_info(1))
            assert before == (random.getstate(),
                              np.random.get_state()[1].tobytes(),
                              torch.get_rng_state().numpy().tobytes())
        assert_same_info(*infos)

    def test_indices_keep_their_images(self):
        whole = SyntheticPoseDataset(6, image_size=(96, 128))
        part = SyntheticPoseDataset(6, image_size=(96, 128), indices=[5, 2])
        assert len(part) == 2
        assert_same_info(part.get_data_info(0), whole.get_data_info(5))
        assert_same_info(part.get_data_info(1), whole.get_data_info(2))

    def test_pickled_copy_gives_the_same(self):
        dataset = SyntheticPoseDataset(3, image_size=(96, 128))
        copy = pickle.loads(pickle.dumps(dataset))
        assert_same_info(dataset.get_data_info(1), copy.get_data_info(1))

    def test_workers_give_the_same(self):
        dataset = SyntheticPoseDataset(
            6,
            image_size=(96, 128),
            pipeline=build_test_pipeline(),
            test_mode=True)
        batches = [
            list(
                DataLoader(
                    dataset,
                    batch_size=2,
                    num_workers=num_workers,
                    collate_fn=pseudo_collate)) for num_workers in (0, 2)
        ]
        assert len(batches[0]) == len(batches[1]) == 3
        for alone, worker in zip(*batches):
            assert torch.equal(
                torch.stack(alone['inputs']), torch.stack(worker['inputs']))

    def test_bottomup_mode_is_taken(self):
        dataset = SyntheticPoseDataset(
            2, image_size=(96, 128), data_mode='bottomup')
        info = dataset.get_data_info(1)
        assert info['keypoints'].shape == (1, 17, 2)
        assert info['img'].shape == (128, 96, 3)

    @pytest.mark.parametrize('field, value', [
        ('num_samples', 0),
        ('num_samples', 2.5),
        ('seed', -1),
        ('image_size', (576, 31)),
        ('image_size', (31, 768)),
        ('image_size', 256),
        ('image_size', (576., 768.)),
    ])
    def test_wrong_arguments_are_named(self, field, value):
        kwargs = {'num_samples': 2, field: value}
        with pytest.raises(ConfigError, match=f'Dataset.{field}: got') as info:
            SyntheticPoseDataset(**kwargs)
        assert info.value.field == f'SyntheticPoseDataset.{field}'


class TestAnnotation:

    def test_keypoints_lie_in_bbox_and_image(self):
        dataset = SyntheticPoseDataset(200, serialize_data=False)
        for info in dataset.data_list:
            x1, y1, x2, y2 = info['bbox'][0]
            assert 0 <= x1 < x2 <= 575 and 0 <= y1 < y2 <= 767
            labelled = info['keypoints_visible'][0] > 0
            keypoints = info['keypoints'][0]
            inside = (keypoints >= (x1 - 0.01, y1 - 0.01)) & (
                keypoints <= (x2 + 0.01, y2 + 0.01))
            assert inside[labelled].all()
            assert (keypoints[~labelled] == 0).all()
            assert info['num_keypoints'] == labelled.sum() >= 5

    def test_flags_occur_in_proportion(self):
        visible = np.stack([f.visible for f in get_figures()])
        shares = [(visible == flag).mean() for flag in (0, 1, 2)]
        assert 0.03 < shares[0] < 0.15
        assert 0.07 < shares[1] < 0.25
        assert 0.65 < shares[2] < 0.9

    def test_back_views_have_no_face(self):
        backs = [f for f in get_figures() if not f.facing]
        assert 0.2 < len(backs) / len(get_figures()) < 0.45
        assert all((f.visible[:3] == 0).all() for f in backs)
        assert any((f.visible[3:5] == 2).any() for f in backs)

    def test_left_is_to_the_right_of_who_faces_the_camera(self):
        # The person's left is to the right of the picture of its front.
        left, right = (KEYPOINTS.index(f'{side}_shoulder')
                       for side in ('left', 'right'))
        for figure in get_figures():
            left_is_right = (
                figure.keypoints[left, 0] > figure.keypoints[right, 0])
            assert left_is_right == figure.facing

    def test_hidden_flags_agree_with_part_map(self):
        num_checked = num_hidden = 0
        for figure in get_figures()[:150]:
            part_map = draw_part_map(figure)
            for k, (x, y) in enumerate(np.rint(figure.keypoints).astype(int)):
                if figure.visible[k] == 0 or (
                        k in (1, 2) and not figure.eye_drawn[k - 1]):
                    continue
                seen = np.unique(part_map[max(y - 2, 0):y + 3,
                                          max(x - 2, 0):x + 3])
                if len(seen) > 1:  # at a border, where rounding decides
                    continue
                part = figure.names[seen[0] - 1] if seen[0] else 'none'
                expected = 2 if is_own(KEYPOINTS[k], part) else 1
                assert figure.visible[k] == expected, (KEYPOINTS[k], part)
                num_checked += 1
                num_hidden += expected == 1
        assert num_checked > 1200 and num_hidden > 100

    def test_bbox_and_area_agree_with_part_map(self):
        for figure in get_figures()[:60]:
            part_map = draw_part_map(figure)
            occluded = np.isin(part_map, [
                i + 1 for i, name in enumerate(figure.names)
                if name == 'occluder'
            ])
            person = (part_map > 0) & ~occluded
            assert figure.area == pytest.approx(person.sum(), rel=0.08)
            if not occluded.any():
                ys, xs = np.nonzero(person)
                box = (xs.min(), ys.min(), xs.max(), ys.max())
                np.testing.assert_allclose(figure.bbox, box, atol=3)

    def test_crops_are_sharp_at_default_size(self):
        for figure in get_figures():
            x1, y1, x2, y2 = figure.bbox
            if min(x1, y1) > 0 and x2 < 575 and y2 < 767:
                assert 1.25 * max(y2 - y1, (x2 - x1) * 4 / 3) >= 510

    def test_smaller_image_holds_smaller_person(self):
        for index in range(20):
            large = get_figures()[index]
            small = sample_figure(build_rng(index), (144, 192))
            assert small.height == pytest.approx(large.height / 4)
            np.testing.assert_allclose(
                small.keypoints, large.keypoints / 4, atol=1.5)


class TestPicture:

    def test_picture_is_where_part_map_says(self):
        figures = [f for f in get_figures()[:12] if 'skirt' not in f.names]
        for index, figure in enumerate(figures):
            empty = dataclasses.replace(
                figure, circles=figure.circles[:0], names=())
            scene = draw_scene(figure, build_rng(index))
            background = draw_scene(empty, build_rng(index))
            changed = (scene != background).any(axis=2)
            drawn = draw_part_map(figure) > 0
            # Antialiasing reaches about a pixel beyond the border.
            assert (changed & ~drawn).sum() < 0.08 * drawn.sum()
            assert (changed & drawn).sum() > 0.97 * drawn.sum()

    def test_eyes_are_drawn_at_their_keypoints(self):
        num_eyes = 0
        for index, figure in enumerate(get_figures()[:40]):
            scene = draw_scene(figure, build_rng(index))
            for k in (1, 2):
                if figure.visible[k] < 2:
                    continue
                x, y = figure.keypoints[k]
                iris = scene[round(y), round(x)]
                assert iris.max() <= 70
                # The white of the eye is around the iris.
                above = scene[int(y - 0.012 * figure.height):round(y),
                              round(x)]
                assert above.min(axis=1).max() > 190
                num_eyes += 1
        assert num_eyes > 25

    @pytest.mark.parametrize('size', [(32, 32), (48, 64), (400, 300)])
    def test_images_may_have_any_size(self, size):
        for index in range(8):
            rng = build_rng(index)
            img = render_figure(sample_figure(rng, size), rng)
            assert img.shape == (size[1], size[0], 3)

    def test_image_is_neither_flat_nor_clipped(self):
        for index, figure in enumerate(get_figures()[:6]):
            img = render_figure(figure, build_rng(index))
            assert img.std() > 15
            assert (img == 255).mean() < 0.5


class TestWithMMPose:

    def test_flip_keeps_sides(self):
        dataset = SyntheticPoseDataset(3)
        flip = RandomFlip(prob=1., direction='horizontal')
        info = LoadImage()(dataset.get_data_info(0))
        before = {k: info[k].copy() for k in ('img', 'keypoints')}
        after = flip(info)
        np.testing.assert_array_equal(after['img'], before['img'][:, ::-1])
        indices = after['flip_indices']
        mirrored = before['keypoints'][:, indices].copy()
        mirrored[..., 0] = 575 - mirrored[..., 0]
        np.testing.assert_allclose(after['keypoints'], mirrored, atol=1e-3)

    def test_train_pipeline(self):
        dataset = SyntheticPoseDataset(
            4, pipeline=build_train_pipeline(), filter_cfg=None)
        for sample in dataset:
            assert sample['inputs'].shape == (3, 256, 192)
            heatmaps = sample['data_samples'].gt_fields.heatmaps
            assert heatmaps.shape == (17, 64, 48)
            assert heatmaps.amax() > 0.5

    @pytest.mark.parametrize('lazy_init', [False, True])
    def test_metrics_of_perfect_predictions_are_perfect(self, lazy_init):
        dataset = SyntheticPoseDataset(
            24,
            seed=7,
            pipeline=build_test_pipeline(),
            test_mode=True,
            lazy_init=lazy_init)
        evaluator = Evaluator([CocoMetric(), PCKAccuracy(thr=0.05)])
        evaluator.dataset_meta = dataset.metainfo
        dataset.full_init()
        for sample in dataset:
            data_sample = sample['data_samples']
            keypoints = data_sample.gt_instances.keypoints
            data_sample.pred_instances = InstanceData(
                keypoints=keypoints.copy(),
                keypoint_scores=np.ones(keypoints.shape[:2], np.float32))
            evaluator.process([data_sample], sample)
        scores = evaluator.evaluate(len(dataset))
        assert scores['coco/AP'] == pytest.approx(1.)
        assert scores['coco/AR'] == pytest.approx(1.)
        assert scores['coco/AP (L)'] == pytest.approx(1.)
        assert scores['PCK'] == pytest.approx(1.)


def test_kept_images_are_the_same_and_cannot_be_spoilt(monkeypatch):
    drawn = []

    def draw(figure, rng):
        drawn.append(figure)
        return render_figure(figure, rng)

    monkeypatch.setattr('mmpose_raf.datasets.synthetic_people.render_figure',
                        draw)
    options = dict(num_samples=3, seed=4, image_size=(60, 80))
    fresh = SyntheticPoseDataset(**options)
    kept = SyntheticPoseDataset(**options, keep_images=True)
    expected = fresh.get_data_info(1)['img']
    for _ in range(3):
        image = kept.get_data_info(1)['img']
        assert np.array_equal(image, expected)
        image[:] = 0
    assert len(drawn) == 2  # once each
    fresh.get_data_info(1)
    assert len(drawn) == 3


def test_reports_do_not_take_it_for_coco():
    dataset = SyntheticPoseDataset(num_samples=1)
    assert dataset.metainfo['dataset_name'] == 'synthetic_people'
    assert dataset.get_data_info(0)['dataset_name'] == 'synthetic_people'
