"""The loss of any weights on the samples that the server holds."""

import copy
from typing import List

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.data import DataLoader

from mmpose_raf.datasets.federated_dataset import SampleKey
from mmpose_raf.federation.state_math import State
from mmpose_raf.models.evaluation_mode import in_evaluation_mode


class ProxyLoss:
    """Mean training loss on the proxy samples, in evaluation mode.

    Gradients flow to the weights that it is given. The samples are loaded
    and augmented once and stay in memory.

    Args:
        model (nn.Module): The model, not wrapped; its own weights play no
            part and stay as they are.
        dataloader (DataLoader): The federation's, whose dataset and
            collation are used.
        groups (list[list[SampleKey]]): The samples, in groups of one
            resolution; each is one batch.
        personal (dict[str, Tensor]): First values of the layers that stay
            with the clients: the model may have those of one of them.
    """

    def __init__(self, model: nn.Module, dataloader: DataLoader,
                 groups: List[List[SampleKey]], personal: State):
        self.model = model
        self.personal = personal
        self.device = next(model.parameters()).device
        self.groups = groups
        self.batches = [
            dataloader.collate_fn([dataloader.dataset[key] for key in group])
            for group in groups
        ]

    def for_model(self, model: nn.Module) -> 'ProxyLoss':
        """The same of another model, on the same batches."""
        other = copy.copy(self)
        other.model = model
        return other

    def heatmaps(self, state: State) -> List[Tensor]:
        """What weights predict for the samples.

        Args:
            state (dict[str, Tensor]): See :meth:`__call__`.

        Returns:
            list[Tensor]: Heatmaps (B, K, H, W) of each group.
        """
        state = self._complete(state)
        found = []
        with in_evaluation_mode(self.model):
            for batch in self.batches:
                data = self.model.data_preprocessor(batch, training=False)
                found.append(
                    functional_call(self.model, state, (),
                                    dict(data, mode='tensor')))
        return found

    def _complete(self, state: State) -> State:
        return {
            key: value.to(self.device)
            for key, value in {**self.personal, **state}.items()
        }

    def __call__(self, state: State) -> Tensor:
        """Compute the loss of weights and buffers.

        Args:
            state (dict[str, Tensor]): A whole state of the model, or a part
                of it: the rest is the model's own.
        """
        state = self._complete(state)
        total = 0.
        # What a model draws in its loss must not depend on what ran before.
        with in_evaluation_mode(self.model), torch.random.fork_rng():
            torch.manual_seed(0)
            for batch, group in zip(self.batches, self.groups):
                data = self.model.data_preprocessor(batch, training=False)
                losses = functional_call(self.model, state, (),
                                         dict(data, mode='loss'))
                loss, _ = self.model.parse_losses(losses)
                total = total + len(group) * loss
        return total / sum(map(len, self.groups))
