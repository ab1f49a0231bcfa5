"""FedConv: parts by convolutions over the weights."""

import numpy as np
import pytest
import torch

from mmpose_raf.federation import (ClientUpdate, FedConv, FederationError,
                                   Layout, Submodel)
from mmpose_raf.federation.weight_convolution import WeightConvolution

WIDE = dict(a=(4, 3), b=(6, 4), var=(4, ), count=())
NARROW = dict(a=(2, 3), b=(3, 2), var=(2, ), count=())


def quadratic(center):
    """1/2 ||w - center||^2, with heatmaps that are the weights."""

    def loss(state):
        return sum((state[key] - center[key]).square().sum() / 2
                   for key in 'ab')

    loss.heatmaps = lambda state: [state['b'][None, None].float()]
    return loss


def random_state(rng, shapes):
    return {
        key: torch.tensor(rng.normal(size=shape), dtype=torch.float32)
        if shape else torch.tensor(int(rng.integers(9)))
        for key, shape in shapes.items()
    }


def built(**arguments):
    aggregator = FedConv(4, **arguments)
    submodel = Submodel(WIDE, NARROW, {})
    aggregator.submodels = dict(low=submodel, tiny=submodel)
    rng = np.random.default_rng(9)
    aggregator.proxy_loss = quadratic(random_state(rng, WIDE))
    part_loss = quadratic(random_state(rng, NARROW))
    aggregator.part_losses = dict(low=part_loss, tiny=part_loss)
    return aggregator


def update_of(name, state):
    return ClientUpdate(name, state, 1, parameters=['a', 'b'])


def test_convolutions_by_hand():
    """Four heads of two channels, in two blocks, become one a block."""
    layout = Layout(blocks=2, unit=2)
    convolution = WeightConvolution({1: (8, 4, layout)}, input_dim=0)
    tensor = torch.arange(16.).reshape(2, 8)
    narrow = convolution.narrow(tensor, torch.tensor([[[1., 10.]]]))
    assert narrow.tolist() == [[20, 31, 64, 75], [108, 119, 152, 163]]
    wide = convolution.enlarge(narrow, torch.tensor([[[1., 2.]]]))
    assert wide[0].tolist() == [20, 31, 40, 62, 64, 75, 128, 150]
    # What is put out is averaged, what is taken in added up; and back.
    assert convolution.first_kernel(False).tolist() == [[[.5, .5]]]
    assert convolution.first_kernel(True).tolist() == [[[1, 1]]]
    both = WeightConvolution({0: (4, 2, Layout()), 1: (6, 2, Layout())}, 1)
    assert torch.equal(both.first_kernel(False)[0, 0], torch.full((2, 3), .5))
    torch.testing.assert_close(
        both.first_kernel(True)[0, 0], torch.full((2, 3), 1 / 3))


def test_a_part_that_is_no_fraction():
    with pytest.raises(FederationError, match='3 of 4 channels are no whole'):
        WeightConvolution({0: (4, 3, Layout())}, 1)


def test_the_part_without_tuning():
    aggregator, rng = built(steps=0), np.random.default_rng(0)
    state = random_state(rng, WIDE)
    part = aggregator.part_of(state, 'low', 3)
    a, b = state['a'].numpy(), state['b'].numpy()
    np.testing.assert_allclose(part['a'], a.reshape(2, 2, 3).mean(1),
                               rtol=1e-6)
    np.testing.assert_allclose(
        part['b'], b.reshape(3, 2, 2, 2).mean(1).sum(-1), rtol=1e-5)
    assert part['count'] == state['count']
    assert aggregator.part_of(state, 'strong', 0) is state


def test_the_mean_without_tuning():
    rng = np.random.default_rng(1)
    updates = [update_of('low', random_state(rng, NARROW)),
               update_of('strong', random_state(rng, WIDE))]
    mixed = built(steps=0).aggregate(random_state(rng, WIDE), updates)
    for key, divisor in (('a', 1), ('b', 2), ('var', 1)):
        wide = updates[0].state[key].numpy().repeat(2, 0)
        if key == 'b':
            wide = wide.repeat(2, 1)
        np.testing.assert_allclose(
            mixed[key], (wide / divisor + updates[1].state[key].numpy()) / 2,
            rtol=1e-6)
    assert mixed['count'] == max(update.state['count'] for update in updates)


def test_a_step_for_the_weights():
    """Adam's first step is lr times the sign of the gradient.

    With p = softmax(x), dL/dx_k = p_k (<g, w_k> - <g, w>).
    """
    rng = np.random.default_rng(2)
    aggregator = built(steps=1, server_lr=.3, kl=0.)
    aggregator.submodels = {}
    updates = [update_of(name, random_state(rng, WIDE)) for name in 'xyz']
    mean = {key: sum(update.state[key] for update in updates) / 3
            for key in 'ab'}
    leaves = {key: value.clone().requires_grad_()
              for key, value in mean.items()}
    aggregator.proxy_loss(leaves).backward()
    slopes = np.array([
        sum((leaves[key].grad * (update.state[key] - mean[key])).sum().item()
            for key in 'ab') for update in updates
    ])
    aggregator.aggregate(random_state(rng, WIDE), updates)
    expected = np.exp(-.3 * np.sign(slopes))
    np.testing.assert_allclose(list(aggregator.weights.values()),
                               expected / expected.sum(), rtol=1e-5)


def test_a_step_for_the_transposed_kernels():
    """w[2i + j] = k[j] v[i] gives dL/dk[j] = sum_i g[2i + j] v[i]."""
    rng = np.random.default_rng(3)
    aggregator = built(steps=1, server_lr=.1, kl=0.)
    part = random_state(rng, NARROW)
    wide = part['a'].repeat_interleave(2, 0)
    leaves = dict(a=wide.clone().requires_grad_(),
                  b=torch.zeros(6, 4, requires_grad=True))
    aggregator.proxy_loss(leaves).backward()
    slopes = (leaves['a'].grad.reshape(2, 2, 3) * part['a'][:, None]).sum(
        (0, 2))
    mixed = aggregator.aggregate(random_state(rng, WIDE),
                                 [update_of('low', part)])
    kernel = 1 - .1 * slopes.sign()
    torch.testing.assert_close(
        mixed['a'], (kernel[:, None] * part['a'][:, None]).reshape(4, 3))
    # Statistics are no parameters.
    torch.testing.assert_close(mixed['var'],
                               part['var'].repeat_interleave(2))


def test_tuning_lowers_the_losses():
    rng = np.random.default_rng(4)
    before = random_state(rng, WIDE)
    updates = [update_of(name, random_state(rng, shapes))
               for name, shapes in (('low', NARROW), ('tiny', NARROW),
                                    ('strong', WIDE))]
    plain, tuned = built(steps=0), built(steps=20, kl=0.)
    mixed = [aggregator.aggregate(before, updates)
             for aggregator in (plain, tuned)]
    losses = [tuned.proxy_loss(state) for state in mixed]
    assert losses[1] < losses[0]
    parts = [tuned.part_losses['low'](aggregator.part_of(
        mixed[1], 'low', 1)) for aggregator in (plain, tuned)]
    assert parts[1] < parts[0]
    # One part for both, with kernels of its own.
    assert list(tuned.kernels) == ['low']


def test_the_divergence_pulls_towards_the_last_model():
    rng = np.random.default_rng(5)
    updates = [update_of(name, random_state(rng, WIDE)) for name in 'xy']
    free, held = (built(steps=20, kl=kl) for kl in (0., 1e4))
    for aggregator in (free, held):
        aggregator.submodels = {}
        aggregator.aggregate(updates[0].state, updates)
    assert held.weights['x'] > free.weights['x']


def test_a_resumed_server_goes_on_exactly():
    rng = np.random.default_rng(6)
    state = random_state(rng, WIDE)
    updates = [update_of('low', random_state(rng, NARROW))]
    whole, resumed = built(steps=2), built(steps=2)
    state = whole.aggregate(state, updates)
    resumed.load_state_dict(whole.state_dict())
    for key, value in whole.part_of(state, 'low', 1).items():
        assert torch.equal(resumed.part_of(state, 'low', 1)[key], value)
    one, other = (aggregator.aggregate(state, updates)
                  for aggregator in (whole, resumed))
    for key, value in one.items():
        assert torch.equal(other[key], value)
        assert not value.requires_grad
    assert torch.equal(whole.kernels['low']['a'], resumed.kernels['low']['a'])


def test_no_proxy_set():
    aggregator = built()
    aggregator.proxy_loss = None
    rng = np.random.default_rng(7)
    with pytest.raises(FederationError, match='needs a proxy set'):
        aggregator.aggregate(random_state(rng, WIDE),
                             [update_of('low', random_state(rng, NARROW))])
