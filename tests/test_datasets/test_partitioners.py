import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmpose.datasets import CocoDataset, CombinedDataset, Face300WDataset
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine

from mmpose_raf.datasets.client import Client
from mmpose_raf.datasets.partitioners import (
    DirichletPartitioner, NativeResolutionPartitioner, RandomPartitioner,
    describe_partition, native_heights, partition_fingerprint)
from mmpose_raf.errors import ConfigError
from mmpose_raf.registry import PARTITIONERS
from tests.shared_data import shared_data

HIGH = Client('high', (192, 256))
MID = Client('mid', (144, 192))
LOW = Client('low', (96, 128))
LADDER = [HIGH, MID, LOW]


class FakeDataset(BaseDataset):
    """Annotations without images: the boxes (w, h) and further fields."""

    def __init__(self, boxes, **fields):
        self.boxes = np.asarray(boxes, dtype=np.float32)
        self.fields = fields
        super().__init__(serialize_data=False)

    def load_data_list(self):
        corner = np.float32([10, 20])
        return [
            dict(
                bbox=np.concatenate([corner, corner + size])[None],
                **{
                    name: values[i]
                    for name, values in self.fields.items()
                }) for i, size in enumerate(self.boxes)
        ]


class RenderingDataset(FakeDataset):
    """A dataset whose samples cost something."""

    def get_data_info(self, idx):
        raise AssertionError('it rendered an image')


class PlainDataset:
    """A dataset that is none of MMEngine's."""

    def __len__(self):
        return 3

    def get_data_info(self, idx):
        return dict(bbox=np.float32([[0, 0, 30, 100 * (idx + 1)]]))


def combine(*datasets, **kwargs):
    return CombinedDataset(
        metainfo=CocoDataset.METAINFO, datasets=datasets, **kwargs)


def concatenate(*datasets):
    return ConcatDataset(datasets)


def make_dataset(length):
    visible = np.arange(length * 6).reshape(length, 1, 6) % 7 > 2
    return FakeDataset(
        np.random.default_rng(0).uniform(20, 400, (length, 2)),
        keypoints_visible=visible.astype(np.float32),
        category_id=np.arange(length) % 4)


def make_clients(number):
    return [replace(LADDER[i % 3], name=f'client{i}') for i in range(number)]


def assert_same(left, right):
    assert len(left) == len(right)
    for one, other in zip(left, right):
        np.testing.assert_array_equal(one, other)


COMPLETE = [
    dict(type='RandomPartitioner'),
    dict(type='DirichletPartitioner', alpha=0.5),
    dict(type='DirichletPartitioner', alpha=0.01, label='category_id'),
    dict(type='NativeResolutionPartitioner'),
]


@pytest.mark.parametrize('cfg', COMPLETE, ids=str)
class TestContract:

    @settings(max_examples=25, deadline=None)
    @given(
        length=st.integers(1, 60),
        number=st.integers(1, 7),
        seed=st.integers(0, 2**63))
    def test_shares_are_disjoint_and_complete(self, cfg, length, number, seed):
        indices = PARTITIONERS.build(cfg).partition(
            make_dataset(length), make_clients(number), seed)
        assert len(indices) == number
        for own in indices:
            assert own.dtype == np.int64 and own.ndim == 1
            assert (np.diff(own) > 0).all()
        np.testing.assert_array_equal(
            np.sort(np.concatenate(indices)), np.arange(length))

    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 2**31), global_seed=st.integers(0, 2**31))
    def test_seed_alone_decides(self, cfg, seed, global_seed):
        dataset, clients = make_dataset(40), make_clients(6)
        first = PARTITIONERS.build(cfg).partition(dataset, clients, seed)
        np.random.seed(global_seed)
        before = np.random.get_state()[1].copy()
        again = PARTITIONERS.build(cfg).partition(dataset, clients, seed)
        assert_same(first, again)
        np.testing.assert_array_equal(before, np.random.get_state()[1])

    def test_another_seed_shares_otherwise(self, cfg):
        dataset, clients = make_dataset(200), make_clients(6)
        partitioner = PARTITIONERS.build(cfg)
        prints = {
            partition_fingerprint([dataset] * 6, clients,
                                  partitioner.partition(dataset, clients, s))
            for s in range(10)
        }
        assert len(prints) == 10

    @pytest.mark.parametrize('seed', [-1, 1.5, None, True])
    def test_a_bad_seed_is_refused(self, cfg, seed):
        with pytest.raises(ConfigError, match='^seed: got'):
            PARTITIONERS.build(cfg).partition(make_dataset(3), LADDER, seed)

    def test_no_clients_are_refused(self, cfg):
        with pytest.raises(ConfigError, match='^clients: there are none'):
            PARTITIONERS.build(cfg).partition(make_dataset(3), [], 0)

    def test_an_empty_dataset_is_refused(self, cfg):
        with pytest.raises(ConfigError, match='holds no samples'):
            PARTITIONERS.build(cfg).partition(FakeDataset([]), LADDER, 0)


class TestDatasets:

    def test_images_are_not_rendered(self):
        dataset = RenderingDataset(
            [[50, 100]] * 5, keypoints_visible=[[1]] * 5)
        for cfg in COMPLETE[1:2] + COMPLETE[3:]:
            indices = PARTITIONERS.build(cfg).partition(dataset, LADDER, 0)
            describe_partition([dataset] * 3, LADDER, indices)

    def test_a_lazy_dataset_is_initialised(self):
        dataset = make_dataset(9)
        dataset._fully_initialized, dataset.data_list = False, []
        indices = RandomPartitioner().partition(dataset, LADDER, 0)
        assert [len(own) for own in indices] == [3, 3, 3]

    def test_any_dataset_with_data_infos_is_taken(self):
        indices = NativeResolutionPartitioner().partition(
            PlainDataset(), LADDER, 0)
        assert_same(indices, [[2], [1], [0]])

    @pytest.mark.parametrize('wrap', [combine, concatenate])
    def test_parts_are_read_without_their_pipelines(self, wrap):
        dataset = wrap(
            dict(type=RenderingDataset, boxes=[[30, 110]] * 2),
            dict(type=RenderingDataset, boxes=[[30, 300], [30, 170]]))
        indices = NativeResolutionPartitioner().partition(dataset, LADDER, 0)
        assert_same(indices, [[2], [3], [0, 1]])

    def test_resampled_parts_are_refused(self):
        dataset = combine(
            dict(type=FakeDataset, boxes=[[30, 110]] * 2),
            sample_ratio_factor=[0.5])
        with pytest.raises(ConfigError, match='sample_ratio_factor'):
            RandomPartitioner().partition(dataset, LADDER, 0)

    @pytest.mark.parametrize('wrap', [combine, concatenate])
    def test_repeated_samples_are_refused(self, wrap):
        dataset = wrap(
            dict(type=RepeatDataset, dataset=make_dataset(4), times=2))
        with pytest.raises(ConfigError, match='RepeatDataset repeats'):
            RandomPartitioner().partition(dataset, LADDER, 0)

    def test_several_boxes_a_sample_are_refused(self):
        dataset = make_dataset(3)
        dataset.data_list[2]['bbox'] = np.zeros((2, 4))
        with pytest.raises(ConfigError, match=r'sample 2 .*\(2, 4\).*topdown'):
            NativeResolutionPartitioner().partition(dataset, LADDER, 0)

    def test_missing_box_is_refused(self):
        dataset = make_dataset(3)
        del dataset.data_list[1]['bbox']
        with pytest.raises(ConfigError, match="sample 1 has no 'bbox'"):
            NativeResolutionPartitioner().partition(dataset, LADDER, 0)


class TestSamplesPerClient:

    @pytest.mark.parametrize(
        'value', [0, -3, 1.5, True, '12', [], [3, 0], [2, None], {3}])
    @pytest.mark.parametrize('partitioner',
                             [RandomPartitioner, NativeResolutionPartitioner])
    def test_bad_counts_are_refused(self, partitioner, value):
        with pytest.raises(
                ConfigError,
                match=f'^{partitioner.__name__}.samples_per_client: got'):
            partitioner(samples_per_client=value)

    @pytest.mark.parametrize('partitioner',
                             [RandomPartitioner, NativeResolutionPartitioner])
    def test_wrong_number_of_counts(self, partitioner):
        with pytest.raises(ConfigError, match='2 numbers for 3 clients'):
            partitioner(samples_per_client=[1, 1]).partition(
                make_dataset(9), LADDER, 0)


class TestRandomPartitioner:

    @given(length=st.integers(1, 50), number=st.integers(1, 9))
    @settings(max_examples=25, deadline=None)
    def test_sizes_differ_by_at_most_one(self, length, number):
        indices = RandomPartitioner().partition(
            make_dataset(length), make_clients(number), 0)
        sizes = [len(own) for own in indices]
        assert sum(sizes) == length
        assert max(sizes) - min(sizes) <= 1

    @given(
        counts=st.lists(st.integers(1, 10), min_size=1, max_size=6),
        seed=st.integers(0, 2**31))
    @settings(max_examples=25, deadline=None)
    def test_exact_counts(self, counts, seed):
        indices = RandomPartitioner(samples_per_client=counts).partition(
            make_dataset(60), make_clients(len(counts)), seed)
        assert [len(own) for own in indices] == counts
        assert len(set(np.concatenate(indices))) == sum(counts)

    def test_one_count_for_all(self):
        indices = RandomPartitioner(samples_per_client=4).partition(
            make_dataset(13), LADDER, 0)
        assert [len(own) for own in indices] == [4, 4, 4]

    @pytest.mark.parametrize('counts', [5, [10, 4, 1]])
    def test_more_samples_than_there_are_is_refused(self, counts):
        with pytest.raises(
                ConfigError, match='asks for 15 samples .* dataset has 14'):
            RandomPartitioner(samples_per_client=counts).partition(
                make_dataset(14), LADDER, 0)

    def test_every_client_draws_from_everywhere(self):
        # A client's mean index over many samples is near the middle.
        indices = RandomPartitioner().partition(make_dataset(3000), LADDER, 0)
        for own in indices:  # standard deviation of the mean: 22
            assert abs(own.mean() - 1500) < 100


class TestDirichletPartitioner:

    @staticmethod
    def shares(alpha, labels=300, samples=40, clients=4):
        """Shares of the clients in the samples of each label."""
        label = np.repeat(np.arange(labels), samples)
        dataset = FakeDataset(np.ones((len(label), 2)), group=label)
        indices = DirichletPartitioner(
            alpha=alpha, label='group').partition(dataset,
                                                  make_clients(clients), 3)
        counts = [np.bincount(label[own], minlength=labels) for own in indices]
        return np.stack(counts, axis=1) / samples

    @pytest.mark.parametrize('alpha', [0.1, 1., 10.])
    def test_shares_have_the_moments_of_the_dirichlet(self, alpha):
        # One share of Dir_N(alpha) is Beta(alpha, (N - 1) alpha) distributed.
        shares, n = self.shares(alpha), 4
        variance = (n - 1) / (n**2 * (n * alpha + 1))
        error = np.sqrt(variance / len(shares))
        np.testing.assert_allclose(shares.mean(0), 1 / n, atol=4 * error)
        assert shares.var() == pytest.approx(variance, rel=0.15)

    @pytest.mark.parametrize('alpha', [0.2, 2.])
    def test_largest_share_like_reference(self, alpha):
        # The same by normalised gamma variables, without any rounding.
        draws = np.random.default_rng(9).gamma(alpha, size=(20000, 4))
        expected = (draws / draws.sum(1, keepdims=True)).max(1).mean()
        assert self.shares(alpha).max(1).mean() == pytest.approx(
            expected, abs=0.03)

    def test_small_alpha_concentrates(self):
        assert self.shares(1e-4).max(1).mean() > 0.99

    @pytest.mark.parametrize('alpha', [1e6, 1e18])
    def test_large_alpha_shares_equally(self, alpha):
        np.testing.assert_allclose(self.shares(alpha), 0.25)

    def test_rare_labels_favour_nobody(self):
        # One sample a label: each of the four clients gets it as often.
        shares = self.shares(100., labels=2000, samples=1)
        np.testing.assert_allclose(shares.mean(0), 0.25, atol=0.04)

    def test_visible_keypoints_are_the_label(self):
        # In both of MMPose's layouts; a weight of 1 makes none visible.
        visible = np.zeros((8, 1, 5, 2), np.float32)
        visible[..., 1] = 1
        visible[:4, :, 1:3, 0] = 1
        cases = [visible, visible[..., 0]]
        for keypoints_visible in cases:
            dataset = FakeDataset(
                np.ones((8, 2)), keypoints_visible=keypoints_visible)
            indices = DirichletPartitioner(alpha=1e18).partition(
                dataset, make_clients(4), 0)
            for own in indices:  # one of each label
                assert len(own) == 2 and own[0] < 4 <= own[1]

    @pytest.mark.parametrize(
        'label', [['a', 'b'] * 4, [np.array(1), np.array(2)] * 4,
                  [np.array([1]), np.array([2])] * 4,
                  [np.int64(1), np.int64(2)] * 4])
    def test_scalars_are_taken_as_labels(self, label):
        indices = DirichletPartitioner(
            alpha=1e18, label='group').partition(
                FakeDataset(np.ones((8, 2)), group=label), make_clients(4), 0)
        for own in indices:
            assert sorted(own % 2) == [0, 1]

    @pytest.mark.parametrize('label', [[[1, 2]] * 2, [np.ones(2)] * 2])
    def test_label_is_no_scalar(self, label):
        dataset = FakeDataset(np.ones((2, 2)), group=label)
        with pytest.raises(
                ConfigError, match=r"Partitioner.label: 'group' of sample 0"):
            DirichletPartitioner(
                alpha=1, label='group').partition(dataset, LADDER, 0)

    def test_a_missing_label_is_refused(self):
        with pytest.raises(
                ConfigError,
                match="label: sample 0 has no field 'age'; choose one of "
                'bbox, category_id, keypoints_visible, sample_idx'):
            DirichletPartitioner(
                alpha=1, label='age').partition(make_dataset(3), LADDER, 0)

    @pytest.mark.parametrize(
        'alpha', [0, -1, float('nan'),
                  float('inf'), '1', None, True])
    def test_a_bad_alpha_is_refused(self, alpha):
        with pytest.raises(ConfigError, match='^DirichletPartitioner.alpha'):
            DirichletPartitioner(alpha=alpha)

    @pytest.mark.parametrize('label', ['', None, 3])
    def test_a_bad_label_is_refused(self, label):
        with pytest.raises(ConfigError, match='^DirichletPartitioner.label'):
            DirichletPartitioner(alpha=1, label=label)


def holders(boxes, clients, **kwargs):
    """The position of the client that holds each box (w, h)."""
    indices = NativeResolutionPartitioner(**kwargs).partition(
        FakeDataset(boxes), clients, 0)
    holder = np.full(len(boxes), -1)
    for position, own in enumerate(indices):
        holder[own] = position
    return holder.tolist()


class TestNativeResolutionPartitioner:

    def test_padded_box_heights_decide(self):
        # 1.25 times the height is compared with 256, 192 and 128.
        boxes = [[20, h] for h in (300, 205, 204, 154, 153, 103, 102, 5)]
        assert holders(boxes, LADDER) == [0, 0, 1, 1, 2, 2, 2, 2]

    def test_border_belongs_to_the_larger_size(self):
        boxes = [[9, 256], [9, 255], [9, 192], [9, 191], [9, 128], [9, 127]]
        assert holders(boxes, LADDER, padding=1) == [0, 1, 1, 2, 2, 2]
        # The same borders reached by the width of the box.
        boxes = [[192, 9], [191, 9], [144, 9], [143, 9], [96, 9], [95, 9]]
        assert holders(boxes, LADDER, padding=1) == [0, 1, 1, 2, 2, 2]

    def test_what_the_camera_has_taken_counts(self):
        # All train at 256x192; one camera takes half of it.
        clients = [HIGH, Client('weak', (192, 256), capture_size=(96, 128))]
        assert holders([[9, 256], [9, 255]], clients, padding=1) == [0, 1]

    def test_wide_boxes_are_extended(self):
        # 160 wide: extended to 213.3 high, padded to 266.7.
        assert holders([[160, 40], [40, 160]], LADDER) == [0, 1]

    def test_padding_counts(self):
        assert holders([[10, 200]], LADDER) == [1]
        assert holders([[10, 200]], LADDER, padding=1.3) == [0]

    def test_each_client_has_its_own_aspect_ratio(self):
        square = Client('square', (256, 256))
        # 160 wide: 160 / (192 / 256) = 213.3 high for the portrait input,
        # but only 160 high for the square one.
        assert holders([[160, 40]], [square, LOW], padding=1.25) == [1]
        assert holders([[160, 40]], [HIGH, LOW], padding=1.25) == [0]
        # Of one height, the wider one is the larger, where it is filled.
        boxes = [[160, 40], [210, 40], [40, 210]]
        assert holders(boxes, [HIGH, square]) == [0, 1, 1]

    def test_order_of_clients_does_not_matter(self):
        boxes = [[10, 300], [10, 160], [10, 110]]
        assert holders(boxes, [LOW, HIGH, MID]) == [1, 2, 0]

    def test_without_a_low_client_the_smallest_takes_the_rest(self):
        assert holders([[10, 300], [10, 30]], [HIGH, MID]) == [0, 1]
        assert holders([[10, 300], [10, 30]], [HIGH]) == [0, 0]

    def test_heights_are_those_of_the_crop(self):
        # The model's own transforms agree.
        sizes = np.random.default_rng(0).uniform(5, 500, (50, 2))
        dataset = FakeDataset(sizes)
        heights = native_heights(sizes, (192, 256), padding=1.4)
        for index, height in enumerate(heights):
            results = dataset.get_data_info(index)
            results['img'] = np.zeros((8, 8, 3), np.uint8)
            results = GetBBoxCenterScale(padding=1.4)(results)
            results = TopdownAffine(input_size=(192, 256))(results)
            assert results['bbox_scale'][0, 1] == pytest.approx(
                height, rel=1e-4)

    @pytest.mark.parametrize('seed', range(3))
    def test_clients_of_one_size_share_evenly(self, seed):
        clients = [
            HIGH,
            Client('low a', (96, 128)),
            Client('low b', [96, 128]),
            Client('low c', (96, 128))
        ]
        boxes = [[10, 300]] * 5 + [[10, 110]] * 20
        indices = NativeResolutionPartitioner().partition(
            FakeDataset(boxes), clients, seed)
        assert_same(indices[:1], [np.arange(5)])
        assert [len(own) for own in indices[1:]] == [7, 7, 6]
        mixed = [np.any(np.diff(own) != 1) for own in indices[1:]]
        assert all(mixed)

    def test_a_client_may_have_no_samples(self):
        indices = NativeResolutionPartitioner().partition(
            FakeDataset([[10, 300]] * 3), LADDER, 0)
        assert_same(indices, [[0, 1, 2], [], []])
        assert all(own.dtype == np.int64 for own in indices)

    def test_counts_limit_the_shares(self):
        boxes = [[10, 300]] * 9 + [[10, 160]] * 9 + [[10, 110]] * 9
        dataset = FakeDataset(boxes)
        draws = [
            NativeResolutionPartitioner(
                samples_per_client=[2, 4, 9]).partition(dataset, LADDER, seed)
            for seed in (0, 0, 1)
        ]
        for first, indices in enumerate(zip(*draws)):
            assert [len(own) for own in indices] == [[2, 4, 9][first]] * 3
            assert set(indices[0]) <= set(range(9 * first, 9 * first + 9))
        assert_same(draws[0], draws[1])
        assert not np.array_equal(draws[0][1], draws[2][1])

    def test_more_samples_than_there_are_is_refused(self):
        dataset = FakeDataset([[10, 300]] * 4 + [[10, 160]] * 2)
        with pytest.raises(
                ConfigError,
                match=r"asks for 3 samples for client 'mid' \(192x144\), "
                'whose share has 2'):
            NativeResolutionPartitioner(samples_per_client=3).partition(
                dataset, [HIGH, MID], 0)

    @pytest.mark.parametrize(
        'padding', [0, -1, float('nan'),
                    float('inf'), '1', None, True])
    def test_a_bad_padding_is_refused(self, padding):
        with pytest.raises(
                ConfigError, match='^NativeResolutionPartitioner.padding'):
            NativeResolutionPartitioner(padding=padding)


def coco_mini():
    root = shared_data('coco_mini')
    return CocoDataset(
        ann_file='annotations/person_keypoints_train2017.json',
        data_root=str(root),
        data_prefix=dict(img='train2017/'))


def faces68():
    root = shared_data('faces68')
    return Face300WDataset(
        ann_file='annotations/train.json',
        data_root=str(root),
        data_prefix=dict(img='images/'))


FACE_CLIENTS = [
    Client('large', (128, 128)),
    Client('middle', (96, 96)),
    Client('small', (64, 64))
]


@pytest.mark.parametrize('make, clients', [(coco_mini, LADDER),
                                           (faces68, FACE_CLIENTS)])
class TestRealData:

    def test_nothing_is_enlarged(self, make, clients):
        dataset = make()
        indices = NativeResolutionPartitioner().partition(dataset, clients, 0)
        assert sum(map(len, indices)) == len(dataset)
        assert all(len(own) > 5 for own in indices)
        heights = np.stack([
            self.crop_heights(dataset, client.input_size) for client in clients
        ])
        sides = np.array([client.input_size[1] for client in clients])
        for position, own in enumerate(indices):
            is_enlarged = heights[position, own] < sides[position]
            # Only what every client would have to.
            too_small = (heights[:, own] < sides[:, None]).all(0)
            np.testing.assert_array_equal(is_enlarged, too_small)
            assert not is_enlarged.any() or position == len(clients) - 1
            # The next larger client would have to enlarge all.
            if position:
                assert (heights[position - 1, own] < sides[position - 1]).all()

    @staticmethod
    def crop_heights(dataset, input_size):
        """Heights of the crops, sample by sample."""
        heights = []
        for index in range(len(dataset)):
            x1, y1, x2, y2 = dataset.get_data_info(index)['bbox'][0].tolist()
            aspect_ratio = input_size[0] / input_size[1]
            heights.append(1.25 * max(y2 - y1, (x2 - x1) / aspect_ratio))
        return np.array(heights)

    @pytest.mark.parametrize('cfg', COMPLETE[:2], ids=str)
    def test_others_are_complete(self, make, clients, cfg):
        dataset = make()
        indices = PARTITIONERS.build(cfg).partition(dataset, clients, 0)
        np.testing.assert_array_equal(
            np.sort(np.concatenate(indices)), np.arange(len(dataset)))
        table = describe_partition([dataset] * 3, clients, indices)
        assert table.count('\n') == 6


# yapf: disable
TABLE = '''\
+-----------------------------------------------------------------------+
| client     | resolution (HxW) | samples | median box (WxH px) | share |
|------------+------------------+---------+---------------------+-------|
| [bold]high |          256x192 |       3 |               20x90 | 75.0% |
| low        |           128x96 |       1 |                 7x8 | 25.0% |
| mid        |          192x144 |       0 |                   - |  0.0% |
+-----------------------------------------------------------------------+'''
# yapf: enable


class TestDescribePartition:

    def test_the_table_shows_who_has_what(self):
        dataset = FakeDataset([[10, 100], [30, 60], [20, 90], [7, 8]])
        clients = [Client('[bold]high', (192, 256)), LOW, MID]
        indices = [np.array([0, 1, 2]), np.array([3]), np.array([], int)]
        assert describe_partition([dataset] * len(clients), clients,
                                  indices) == TABLE

    def test_nobody_has_any(self):
        text = describe_partition(
            make_dataset(2), [HIGH], [np.array([], dtype=np.int64)])
        assert '0 |' in text and text.count('- |') == 2


class TestPartitionFingerprint:

    INDICES = [np.array([0, 2]), np.array([1, 3]), np.array([], np.int64)]
    DATASETS = [make_dataset(5)] * 3

    def fingerprint(self, clients, indices, datasets=DATASETS):
        return partition_fingerprint(datasets, clients, indices)

    def test_is_a_sha256_of_what_it_says(self):
        """Written into checkpoints: its definition must never change."""
        digest = hashlib.sha256()
        corner = np.float32([10, 20])
        sizes = (corner + self.DATASETS[0].boxes).astype(float) - corner
        for client, own in zip(LADDER, self.INDICES):
            digest.update(
                json.dumps([client.name,
                            list(client.input_size),
                            len(own)]).encode())
            digest.update(own.astype('<i8').tobytes())
            digest.update(sizes[own].astype('<f8').tobytes())
        assert self.fingerprint(LADDER, self.INDICES) == digest.hexdigest()

    def test_does_not_depend_on_types(self):
        as_lists = [own.tolist() for own in self.INDICES]
        clients = [Client(c.name, list(c.input_size)) for c in LADDER]
        assert self.fingerprint(clients, as_lists) == self.fingerprint(
            LADDER, self.INDICES)

    def test_tells_other_annotations_apart(self):
        boxes = np.random.default_rng(1).uniform(20, 400, (5, 2))
        other = FakeDataset(boxes)
        assert self.fingerprint(LADDER, self.INDICES,
                                [other] * 3) != self.fingerprint(
                                    LADDER, self.INDICES)

    @pytest.mark.parametrize('clients, indices', [
        ([HIGH, LOW, MID], INDICES),
        ([HIGH, replace(MID, name='other'), LOW], INDICES),
        ([HIGH, replace(MID, input_size=(192, 144)), LOW], INDICES),
        (LADDER, [[0, 2], [1, 4], []]),
        (LADDER, [[0, 2], [1], [3]]),
        (LADDER, [[0, 2, 1, 3], [], []]),
        (LADDER[:2], INDICES[:2]),
    ])
    def test_tells_partitions_apart(self, clients, indices):
        assert self.fingerprint(clients, indices) != \
            self.fingerprint(LADDER, self.INDICES)
