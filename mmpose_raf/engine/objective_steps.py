"""A local objective beside the loss of MMEngine's training loop."""

from contextlib import contextmanager
from typing import Collection, Dict, Iterator

import torch
from torch import nn

from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import LocalObjective, TrainingStart
from .feature_contrast import FeatureContrast


class ObjectiveSteps:
    """Lets a local objective take part in each step of a client.

    Its gradient is added to what the optimizer gets: after gradients were
    accumulated, unscaled (mixed precision) and clipped, so that clipping
    bounds the loss's gradient alone.

    Args:
        model (nn.Module): The model, not wrapped.
        optimizer (torch.optim.Optimizer): The one optimizer.
        objective (LocalObjective): What is added.
        personal (list[str]): Entries of the model's state dict that are not
            sent; it has no part in them.

    Raises:
        ConfigError: If it has nothing to act on.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer,
                 objective: LocalObjective, personal: Collection[str]):
        self.optimizer = optimizer
        self.objective = objective
        self.parameters = {
            name: parameter
            for name, parameter in model.named_parameters()
            if parameter.requires_grad and name not in personal
        }
        if not self.parameters:
            raise ConfigError('federation.local_objective',
                              'no shared parameter is trained',
                              'leave it out, or change local_params')
        self.contrast = FeatureContrast(
            model, objective) if objective.feature_module else None

    @contextmanager
    def taking_part(self, start: TrainingStart) -> Iterator[Dict[str, float]]:
        """While open, the objective acts on every step.

        Args:
            start (TrainingStart): What the client starts from.

        Yields:
            dict[str, float]: For each parameter the sum of its learning
            rates over the steps so far.
        """
        lr_sums = dict.fromkeys(self.parameters, 0.)

        def before_step(optimizer, args, kwargs):
            self._add_gradient(optimizer, start, lr_sums)

        handle = self.optimizer.register_step_pre_hook(before_step)
        try:
            if self.contrast:
                with self.contrast.watching(start):
                    yield lr_sums
            else:
                yield lr_sums
        finally:
            handle.remove()

    def _add_gradient(self, optimizer: torch.optim.Optimizer,
                      start: TrainingStart, lr_sums: Dict[str, float]):
        # Fused optimizers unscale the gradients of mixed precision, and skip
        # the step after an overflow, themselves.
        scale = getattr(optimizer, 'grad_scale', None)
        found_inf = getattr(optimizer, 'found_inf', None)
        if found_inf is not None and found_inf:
            return
        trained = {
            name: parameter
            for name, parameter in self.parameters.items()
            if parameter.grad is not None
        }
        now = {name: parameter.detach() for name, parameter in trained.items()}
        if self.objective.is_observing:
            self.objective.observe(
                now, {
                    name: parameter.grad if scale is None else
                    parameter.grad / scale
                    for name, parameter in trained.items()
                }, start)
        gradients = self.objective.gradient(now, start)
        if gradients:
            added = [gradients[name] for name in trained]
            if scale is not None:
                added = torch._foreach_mul(added, scale.item())
            torch._foreach_add_([trained[name].grad for name in trained],
                                added)
        rates = {
            parameter: group['lr']
            for group in optimizer.param_groups
            for parameter in group['params']
        }
        for name, parameter in trained.items():
            lr_sums[name] += rates.get(parameter, 0.)
