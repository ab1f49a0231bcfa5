"""Training of the global model on inverted images."""

import math
from dataclasses import dataclass
from typing import Dict

import torch
from mmengine.config import ConfigDict
from mmengine.optim import build_optim_wrapper
from torch import Tensor, nn

from mmpose_raf.models.image_heatmaps import heatmaps_of
from mmpose_raf.models.ladder import resample
from mmpose_raf.sizes import Size, size_of
from .argument_checks import KEY, check_count, check_weight


@dataclass(frozen=True)
class Distillation:
    """Training on images with given heatmaps.

    Each step moves the model, by the optimizer of the config, along the
    gradient of sum_l w_l ||P_l - T_l||^2 / (B K h w) over the levels of the
    ladder. The learning rate falls on a cosine from its first value to 0.
    Statistics of BatchNorm stay as they were, those of images from a camera.

    Args:
        epochs (int): Passes over the images. Defaults to 20.
        batch_size (int): Images in a step. Defaults to 16.
        lr_factor (float): The first learning rate, as a share of the
            config's, > 0. Defaults to 0.2.
    """

    epochs: int = 20
    batch_size: int = 16
    lr_factor: float = 0.2

    def __post_init__(self):
        field = f'{KEY}.distillation'
        check_count(self.epochs, f'{field}.epochs')
        check_count(self.batch_size, f'{field}.batch_size')
        check_weight(self.lr_factor, f'{field}.lr_factor', above_zero=True)

    def train(self, model: nn.Module, images: Tensor,
              targets: Dict[Size, Tensor], shares: Dict[Size, float],
              use_udp: bool, optim_wrapper: dict, seed: int) -> float:
        """Train a model, in place.

        Args:
            model (nn.Module): The pose estimator.
            images (Tensor): In shape (N, 3, H, W), uint8.
            targets (dict[tuple[int, int], Tensor]): By level (w, h) heatmaps
                in shape (N, K, h, w).
            shares (dict[tuple[int, int], float]): By level its weight w_l.
            use_udp (bool): How images are resized, see :func:`resample`.
            optim_wrapper (dict): Its config.
            seed (int): Seed of the order and of dropped paths.

        Returns:
            float: Mean loss of the last epoch.
        """
        wrapper = build_optim_wrapper(model, ConfigDict(optim_wrapper))
        groups = wrapper.optimizer.param_groups
        rates = [group['lr'] * self.lr_factor for group in groups]
        total = self.epochs * math.ceil(len(images) / self.batch_size)
        device = next(model.parameters()).device
        generator = torch.Generator().manual_seed(seed)
        step, losses = 0, []
        torch.manual_seed(seed)
        model.train()
        _freeze_statistics(model)
        for _ in range(self.epochs):
            losses = []
            order = torch.randperm(len(images), generator=generator)
            for batch in order.split(self.batch_size):
                factor = (1 + math.cos(math.pi * step / total)) / 2
                for group, rate in zip(groups, rates):
                    group['lr'] = rate * factor
                shown = images[batch].to(device).float()
                loss = sum(
                    share * level_loss(model, shown, size,
                                       targets[size][batch].to(device),
                                       use_udp)
                    for size, share in shares.items())
                wrapper.update_params(loss)
                losses.append(loss.item())
                step += 1
        model.eval()
        return sum(losses) / len(losses)


def level_loss(model: nn.Module, images: Tensor, size: Size,
               targets: Tensor, use_udp: bool) -> Tensor:
    """Mean squared error of a model's heatmaps at a level.

    Args:
        model (nn.Module): The pose estimator.
        images (Tensor): In shape (B, 3, H, W), in [0, 255].
        size (tuple[int, int]): Input size (w, h).
        targets (Tensor): In shape (B, K, h, w).
        use_udp (bool): See :func:`resample`.
    """
    if size_of(images) != size:
        images = resample(images, size, use_udp)
    return (heatmaps_of(model, images) - targets).square().mean()


def _freeze_statistics(model: nn.Module):
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
