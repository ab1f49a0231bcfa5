"""The training data as the clients see it."""

import random

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, TRANSFORMS
from mmpose.datasets import CombinedDataset
from torch.utils.data import DataLoader

from mmpose_raf.datasets.client import Client
from mmpose_raf.datasets.client_batch_sampler import ClientBatchSampler
from mmpose_raf.datasets.federated_dataset import FederatedDataset, SampleKey
from mmpose_raf.datasets.participation import Participation
from mmpose_raf.datasets.schedule import SynchronousSchedule
from tests.toy import (CODEC, METAINFO, SIZES, toy_dataset, toy_pipeline)

CLIENTS = [Client(name, SIZES[name]) for name in ('high', 'low')]
INDICES = [np.array([7, 1, 4]), np.array([0, 2, 9, 10])]


@TRANSFORMS.register_module(force=True)
class DiscardSome:
    """Discards samples by their number, as some augmentations do."""

    def __init__(self, numbers):
        self.numbers = numbers

    def __call__(self, results):
        return None if results['img_id'] in self.numbers else results


@pytest.fixture(scope='module')
def federated():
    dataset = DATASETS.build(toy_dataset(11, codec=dict(CODEC)))
    return FederatedDataset(CLIENTS, [dataset] * 2, INDICES, 'pixel')


def test_samples_of_a_client_have_its_size_and_name(federated):
    assert len(federated) == 7
    assert federated.metainfo['dataset_name'] == METAINFO['dataset_name']
    for client, index, name in ((0, 4, 'high'), (1, 9, 'low')):
        data = federated[SampleKey(client, index, 0)]
        width, height = SIZES[name]
        assert data['inputs'].shape == (3, height, width)
        assert data['data_samples'].client == name
        assert 'client' in data['data_samples'].metainfo
        assert data['data_samples'].img_id == index


def test_augmentation_depends_on_the_key_alone(federated):
    key = SampleKey(0, 4, 5)
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    first = federated[key]['inputs']
    federated[SampleKey(1, 2, 9)]
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    assert torch.equal(federated[key]['inputs'], first)
    other = federated[key._replace(seed=6)]['inputs']
    assert not torch.equal(other, first)


def test_global_generators_are_not_touched(federated):
    states = (random.getstate(), np.random.get_state()[1].tolist(),
              torch.get_rng_state().tolist())
    federated[SampleKey(0, 4, 5)]
    assert states == (random.getstate(), np.random.get_state()[1].tolist(),
                      torch.get_rng_state().tolist())


def batches(federated, num_workers):
    sampler = ClientBatchSampler(CLIENTS,
                                 INDICES,
                                 batch_size=2,
                                 local_epochs=1,
                                 schedule=SynchronousSchedule(
                                     Participation.of_all(2)),
                                 seed=0,
                                 drop_last=False)
    loader = DataLoader(federated,
                        batch_sampler=sampler,
                        num_workers=num_workers,
                        collate_fn=pseudo_collate,
                        persistent_workers=num_workers > 0)
    assert len(loader) == 4
    # Two rounds, as workers that live on have a generator that moves on.
    for round_ in range(2):
        sampler.set_epoch(round_)
        yield from loader


def test_workers_make_no_difference(federated):
    """Nor do they mix up the order of the clients."""
    expected = list(batches(federated, 0))
    got = list(batches(federated, 2))
    assert len(got) == len(expected) == 8
    names = [batch['data_samples'][0].client for batch in got]
    assert names == ['high', 'high', 'low', 'low'] * 2
    for one, two in zip(expected, got):
        for first, second in zip(one['inputs'], two['inputs']):
            assert torch.equal(first, second)
        for first, second in zip(one['data_samples'], two['data_samples']):
            assert first.img_id == second.img_id
            assert torch.equal(first.gt_fields.heatmaps,
                               second.gt_fields.heatmaps)


def test_clients_may_have_datasets_of_their_own():
    datasets = [
        DATASETS.build(toy_dataset(3, first=20)),
        DATASETS.build(toy_dataset(2, first=50))
    ]
    federated = FederatedDataset(CLIENTS, datasets,
                                 [np.arange(3), np.arange(2)], 'pixel')
    assert len(federated) == 5
    assert federated[SampleKey(0, 1, 0)]['data_samples'].img_id == 21
    assert federated[SampleKey(1, 1, 0)]['data_samples'].img_id == 51


def test_a_combined_dataset_is_shared_out():
    """The wrapper of MMPose that has a pipeline of its own."""
    parts = [
        dict(toy_dataset(3, first=first), pipeline=[]) for first in (20, 50)
    ]
    combined = CombinedDataset(METAINFO, parts, toy_pipeline(augmented=False))
    federated = FederatedDataset(
        CLIENTS, [combined] * 2,
        [np.array([0, 4]), np.array([5])], 'pixel')
    data = federated[SampleKey(0, 4, 0)]
    assert data['data_samples'].img_id == 51
    assert data['inputs'].shape == (3, 64, 48)
    assert federated[SampleKey(1, 5, 0)]['data_samples'].img_id == 52


def discarding(numbers):
    config = toy_dataset(11, augmented=False)
    config['pipeline'].insert(0, dict(type='DiscardSome', numbers=numbers))
    dataset = DATASETS.build(dict(config, max_refetch=20))
    return FederatedDataset(CLIENTS, [dataset] * 2, INDICES, 'pixel')


def test_a_discarded_sample_is_replaced_by_one_of_the_same_client():
    federated = discarding([0, 2])
    seen = {
        federated[SampleKey(1, 0, seed)]['data_samples'].img_id
        for seed in range(30)
    }
    assert seen == {9, 10}
    # The replacement depends on the key as well.
    key = SampleKey(1, 0, 3)
    assert federated[key]['data_samples'].img_id == federated[key][
        'data_samples'].img_id


def test_discarding_everything_is_an_error():
    federated = discarding([0, 2, 9, 10])
    with pytest.raises(RuntimeError, match='21 samples of client low'):
        federated[SampleKey(1, 0, 0)]
