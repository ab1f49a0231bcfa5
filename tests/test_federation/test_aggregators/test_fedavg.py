"""Rules of the server."""

import numpy as np
import pytest
import torch

from mmpose_raf.federation import Aggregator, ClientUpdate, FedAvg
from mmpose_raf.registry import AGGREGATORS


def updates_of(*num_samples):
    """Updates with random weights, one for each number of samples."""
    generator = torch.Generator().manual_seed(0)
    return [
        ClientUpdate(f'client {i}', {
            'w': torch.randn(2, 3, generator=generator),
            'count': torch.tensor(i)
        }, count) for i, count in enumerate(num_samples)
    ]


@pytest.mark.parametrize('weighting, shares', [
    ('uniform', [1 / 3, 1 / 3, 1 / 3]),
    ('samples', [10 / 40, 25 / 40, 5 / 40]),
])
def test_fedavg(weighting, shares):
    updates = updates_of(10, 25, 5)
    start = {'w': torch.full((2, 3), 1e6), 'count': torch.tensor(99)}
    state = FedAvg(weighting).aggregate(start, updates)
    expected = sum(share * update.state['w'].double().numpy()
                   for share, update in zip(shares, updates))
    np.testing.assert_allclose(state['w'].numpy(), expected, rtol=1e-6)
    # w_t has no part in w_{t+1}, and is left alone.
    assert state['count'].item() == 2
    assert torch.equal(start['w'], torch.full((2, 3), 1e6))


def test_weightings_differ_unless_the_clients_are_alike():
    uniform, samples = FedAvg('uniform'), FedAvg('samples')
    for counts, are_equal in (((7, 7), True), ((7, 70), False)):
        one = uniform.aggregate({}, updates_of(*counts))['w']
        other = samples.aggregate({}, updates_of(*counts))['w']
        assert torch.allclose(one, other) == are_equal


def test_uniform_is_the_default():
    assert FedAvg().weighting == 'uniform'


@pytest.mark.parametrize('weighting', ['uniform', 'samples'])
def test_one_client(weighting):
    update, = updates_of(4)
    state = FedAvg(weighting).aggregate({}, [update])
    assert torch.equal(state['w'], update.state['w'])
    assert state['w'] is not update.state['w']


def test_unknown_weighting():
    with pytest.raises(ValueError, match="weighting .* got 'sample'"):
        FedAvg('sample')


def test_registered():
    built = AGGREGATORS.build(dict(type='FedAvg', weighting='samples'))
    assert isinstance(built, FedAvg)
    assert built.weighting == 'samples'


def test_stateless_by_default():
    aggregator = FedAvg()
    assert aggregator.state_dict() == {}
    aggregator.load_state_dict({})


def test_base_class_is_abstract():
    with pytest.raises(TypeError):
        Aggregator()
