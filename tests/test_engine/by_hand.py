"""A federation written as plainly as possible, to compare the real one with.

Every client has a model of its own, copied from the global one, and an
optimizer of its own; nothing is shared or swapped. There is neither a Runner
nor a hook. Only who holds and who draws what is taken from the package.
"""

import copy

import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from mmpose.registry import MODELS

from mmpose_raf.datasets.client import parse_clients
from mmpose_raf.datasets.client_batch_sampler import ClientBatchSampler
from mmpose_raf.datasets.federated_dataset import FederatedDataset
from mmpose_raf.datasets.participation import parse_participation
from mmpose_raf.datasets.schedule import SynchronousSchedule
from mmpose_raf.registry import PARTITIONERS


class FederationByHand:
    """Trains what a config of :func:`tests.toy.toy_config` describes.

    Args:
        cfg (Config): The config.
        first (dict): First global weights.
        world_size (int): Number of processes to act out.
    """

    def __init__(self, cfg, first, world_size=1):
        federation = dict(cfg.custom_hooks[0])
        self.clients = parse_clients(federation['clients'], 'clients')
        self.local_epochs = federation.get('local_epochs', 1)
        self.keeps = federation.get('optimizer_state', 'keep') == 'keep'
        aggregator = federation.get('aggregator', {})
        self.by_samples = aggregator.get('weighting') == 'samples'
        seed = cfg.randomness.seed

        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        self.indices = PARTITIONERS.build(
            federation.get('partitioner',
                           dict(type='RandomPartitioner'))).partition(
                               dataset, self.clients, seed)
        self.data = FederatedDataset(self.clients,
                                     [dataset] * len(self.clients),
                                     self.indices, 'pixel')
        self.samplers = [
            ClientBatchSampler(
                self.clients,
                self.indices,
                cfg.train_dataloader.batch_size,
                self.local_epochs,
                SynchronousSchedule(
                    parse_participation(federation.get('participation'),
                                        self.clients, 'participation'),
                    seed=seed),
                seed,
                drop_last=False,
                rank=rank,
                world_size=world_size) for rank in range(world_size)
        ]
        wrapper = cfg.optim_wrapper
        self.counts = wrapper.get('accumulative_counts', 1)
        self.clip_grad = dict(wrapper.get('clip_grad') or {})
        self.optimizer = dict(wrapper.optimizer)
        self.optimizer_class = getattr(torch.optim, self.optimizer.pop('type'))
        self.moments = {}

        self.model = MODELS.build(cfg.model)
        self.model.load_state_dict(first)

    def round(self, number):
        """Train a round; return the next global weights."""
        for sampler in self.samplers:
            sampler.set_epoch(number)
        steps = list(zip(*self.samplers))
        updates = []
        for client in range(len(self.clients)):
            own = [step for step in steps if step[0][0].client == client]
            if own:
                updates.append((client, self.train(client, own)))
        self.model.load_state_dict(self.average(updates))
        return copy.deepcopy(self.model.state_dict())

    def train(self, client, steps):
        """Train a client on its batches, one for each process a step."""
        replicas = [copy.deepcopy(self.model) for _ in steps[0]]
        optimizers = [
            self.optimizer_class(replica.parameters(), **self.optimizer)
            for replica in replicas
        ]
        if self.keeps and client in self.moments:
            for optimizer in optimizers:
                optimizer.load_state_dict(copy.deepcopy(self.moments[client]))
        for start in range(0, len(steps), self.counts):
            group = steps[start:start + self.counts]
            for rank, (replica,
                       optimizer) in enumerate(zip(replicas, optimizers)):
                replica.train()
                optimizer.zero_grad()
                for step in group:
                    (self.loss(replica, step[rank]) / len(group)).backward()
            self.share_gradients(replicas)
            for replica, optimizer in zip(replicas, optimizers):
                if self.clip_grad:
                    torch.nn.utils.clip_grad_norm_(replica.parameters(),
                                                   **self.clip_grad)
                optimizer.step()
        self.moments[client] = copy.deepcopy(optimizers[0].state_dict())
        states = [replica.state_dict() for replica in replicas]
        return self.mean(states, [1 / len(states)] * len(states))

    def loss(self, model, keys):
        batch = pseudo_collate([self.data[key] for key in keys])
        batch = model.data_preprocessor(batch, training=True)
        losses = model(**batch, mode='loss')
        return sum(value for name, value in losses.items() if 'loss' in name)

    @staticmethod
    def share_gradients(replicas):
        for parameters in zip(*(replica.parameters() for replica in replicas)):
            if parameters[0].grad is not None:
                mean = sum(p.grad for p in parameters) / len(parameters)
                for parameter in parameters:
                    parameter.grad = mean.clone()

    def average(self, updates):
        weights = [
            len(self.indices[client]) if self.by_samples else 1
            for client, _ in updates
        ]
        return self.mean([state for _, state in updates],
                         [weight / sum(weights) for weight in weights])

    @staticmethod
    def mean(states, weights):
        result = {}
        for key, value in states[0].items():
            arrays = [state[key].double().numpy() for state in states]
            if value.is_floating_point():
                array = sum(w * a for w, a in zip(weights, arrays))
            else:
                array = np.max(arrays, 0)
            result[key] = torch.as_tensor(array).to(value.dtype)
        return result


def assert_like_by_hand(rounds, by_hand, plain, atol, least):
    """Fail unless rounds are those by hand, and end away from plain ones.

    Args:
        rounds (list[dict]): Weights after each round of a run.
        by_hand (FederationByHand): What they should equal.
        plain (FederationByHand): The same without what is tested.
        atol (float): Largest difference from ``by_hand``.
        least (float): Least difference from ``plain`` after the last round.
    """
    for number, got in enumerate(rounds):
        expected, other = by_hand.round(number), plain.round(number)
        for key in got:
            torch.testing.assert_close(got[key],
                                       expected[key],
                                       rtol=0,
                                       atol=atol)
    assert max((got[key].float() - other[key].float()).abs().max()
               for key in got) > least
