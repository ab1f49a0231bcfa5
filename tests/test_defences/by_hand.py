"""A federation by hand whose clients change their batches."""

import torch
from mmengine.dataset import pseudo_collate

from tests.test_engine.by_hand import FederationByHand


class DefendedByHand(FederationByHand):
    """Trains on the images that :meth:`harden` makes.

    Attributes:
        hostile (tuple[str]): Clients that do not.
    """

    hostile = ()

    def round(self, number):
        self.number = number
        return super().round(number)

    def train(self, client, steps):
        self.client = client
        torch.manual_seed(self.number * 1_000_003 + client)
        self.start()
        return super().train(client, steps)

    def start(self):
        """Begin a visit."""

    def harden(self, model, images, samples):
        """The images (B, 3, H, W) to train on."""
        raise NotImplementedError

    def loss(self, model, keys):
        batch = pseudo_collate([self.data[key] for key in keys])
        images = torch.stack(batch['inputs']).float()
        samples = batch['data_samples']
        if self.clients[self.client].name not in self.hostile:
            model.eval()
            images = self.harden(model, images, samples)
            model.train()
        return self.loss_of(model, images, samples)

    @staticmethod
    def loss_of(model, images, samples):
        data = model.data_preprocessor(
            dict(inputs=images, data_samples=samples), training=True)
        losses = model(**data, mode='loss')
        return sum(value for name, value in losses.items() if 'loss' in name)
