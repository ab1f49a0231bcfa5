"""The server's own samples and the loss of any weights on them."""

import copy

import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmpose_raf.federation import FedAvg
from mmpose_raf.registry import AGGREGATORS
from tests.toy import hook_of, run, toy_config


@AGGREGATORS.register_module(force=True)
class ProxySpy(FedAvg):
    """Asks for the proxy loss of what it was given."""

    proxy_samples = 3

    def aggregate(self, global_state, updates):
        self.given = global_state
        self.losses = [
            self.proxy_loss(state) for state in (
                global_state, {}, *(update.state for update in updates))
        ]
        return super().aggregate(global_state, updates)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    runner = run(
        toy_config(tmp_path_factory.mktemp('proxy'),
                   rounds=1,
                   drop_path_rate=.5,
                   aggregator=dict(type='ProxySpy')))
    return runner, runner.train_loop.server.aggregator


def plain_loss(runner, state):
    """Loss of a copy of the model in evaluation mode, batch by batch."""
    model = copy.deepcopy(runner.model).eval()
    model.load_state_dict(state)
    dataset = runner.train_dataloader.dataset
    total, count = 0., 0
    for group in runner.train_loop.server.aggregator.proxy_loss.groups:
        batch = pseudo_collate([dataset[key] for key in group])
        with torch.no_grad():
            losses = model(**model.data_preprocessor(batch), mode='loss')
        total += len(group) * losses['loss_kpt'] + len(group) * losses.get(
            'loss_kd', 0)
        count += len(group)
    return total / count


def test_it_is_the_loss_of_these_weights(trained):
    runner, aggregator = trained
    assert sum(map(len, aggregator.proxy_loss.groups)) == 3
    given, *_ = aggregator.losses
    torch.testing.assert_close(given.detach(),
                               plain_loss(runner, aggregator.given),
                               rtol=1e-6,
                               atol=0)
    assert len({loss.item() for loss in aggregator.losses}) >= 3


def test_it_changes_nothing(trained):
    runner, aggregator = trained
    model = runner.model
    model.train()
    before = copy.deepcopy(model.state_dict())
    random = torch.get_rng_state()
    aggregator.proxy_loss(before)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    assert model.training and model.backbone.training
    assert torch.equal(torch.get_rng_state(), random)


def test_gradient_is_that_of_training_it(trained):
    runner, aggregator = trained
    model = copy.deepcopy(runner.model)
    name = 'head.final_layer.weight'
    state = model.state_dict()
    state[name] = state[name].clone().requires_grad_()
    aggregator.proxy_loss(state).backward()
    step = torch.randn_like(state[name]) * 1e-2
    moved = {key: value.detach() for key, value in state.items()}
    ends = [
        aggregator.proxy_loss(dict(moved, **{name: moved[name] + sign * step}))
        for sign in (1, -1)
    ]
    slope = (state[name].grad * step).sum()
    torch.testing.assert_close((ends[0] - ends[1]) / 2, slope, rtol=1e-2,
                               atol=1e-9)


def test_clients_do_not_have_them(trained):
    runner, aggregator = trained
    sampler = runner.train_dataloader.batch_sampler
    held = {(client, index)
            for client, own in enumerate(sampler.indices) for index in own}
    proxy = {(key.client, key.index)
             for group in aggregator.proxy_loss.groups for key in group}
    assert not held & proxy
    assert len(held) + len(proxy) == 11
