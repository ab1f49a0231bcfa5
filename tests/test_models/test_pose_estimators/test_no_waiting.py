"""A training step sends its batch to the device and waits for nothing.

The model is on torch's meta device, which has shapes but no values: what
would wait for a value (``.item()``, ``.cpu()``, masks as indices) fails there.
"""

from contextlib import contextmanager

import pytest
import torch
from mmengine.utils import digit_version
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from tests.test_models.reference import TINY
from tests.test_models.test_early_backward import PlainViT
from tests.test_models.test_pose_estimators.test_raf_pose_estimator import (
    LADDER, NUM_KEYPOINTS, batch_of, build, codec_cfg, head_cfg)

META = torch.device('meta')
FROM_NUMBERS = (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor)


def tensors_in(*trees):
    return [
        leaf for leaf in tree_flatten(trees)[0]
        if isinstance(leaf, torch.Tensor)
    ]


class TensorCopies(TorchDispatchMode):
    """Lists shapes of the CPU's tensors that meet those of a device."""

    def __init__(self, shapes):
        super().__init__()
        self.shapes = shapes

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        tensors = tensors_in(args, kwargs, result)
        if len({tensor.device.type for tensor in tensors}) > 1:
            self.shapes += [
                tuple(tensor.shape) for tensor in tensors_in(args, kwargs)
                if tensor.device.type == 'cpu'
            ]
        return result


class NumberCopies(TorchFunctionMode):
    """Lists shapes of tensors made from Python's numbers on a device.

    They are copied from the CPU unseen by :class:`TensorCopies`.
    """

    def __init__(self, shapes):
        super().__init__()
        self.shapes = shapes

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func in FROM_NUMBERS and result.device.type != 'cpu':
            self.shapes.append(tuple(result.shape))
        return result


@contextmanager
def copies_to_device():
    """Give the shapes of what is copied to the device meanwhile."""
    shapes = []
    with TensorCopies(shapes), NumberCopies(shapes):
        yield shapes


def copies_of_step(model, size):
    """Shapes that are sent from the CPU in a step, but for the images."""
    images, samples = batch_of(size)
    images = images.to(META)
    step(model, images, samples)  # which sends the constants
    with copies_to_device() as shapes:
        step(model, images, samples)
    return shapes


def step(model, images, samples):
    loss, _ = model.parse_losses(model.loss(images, samples))
    loss.backward()
    assert all(p.grad is not None and p.grad.device == META
               for p in model.parameters())
    model.zero_grad()


@pytest.mark.parametrize('kwargs', [
    dict(passes='joint'),
    dict(backbone=dict(type=PlainViT, arch=TINY)),
    dict(passes='in_turn'),
    dict(distill=None, levels='one'),
    dict(distill=None, passes='in_turn', level_weights='area'),
    dict(upward=True),
    dict(distill=dict(
        type='MultiResolutionDistillLoss', teacher='highest',
        resize='bilinear')),
    dict(distill=dict(type='MultiResolutionDistillLoss', resize='teacher')),
    dict(head=head_cfg(sigma_mode='relative')),
    dict(head=head_cfg(decoder=codec_cfg(udp=False))),
    dict(head=head_cfg(decoder=dict(codec_cfg(udp=False), unbiased=True))),
    dict(backbone=dict(
        type='RAFViT', arch=TINY, drop_path_rate=.5, with_cls_token=True)),
    dict(backbone=dict(type='RAFViT', arch=TINY, pos_embed='ape')),
    pytest.param(
        dict(backbone=dict(type='RAFViT', arch=TINY, with_cp=True)),
        marks=pytest.mark.skipif(
            digit_version(torch.__version__) < digit_version('2.2'),
            reason='torch 2.1 checkpoints nothing on the meta device')),
], ids=repr)  # yapf: disable
def test_a_step_sends_only_the_keypoints(kwargs):
    model = build(**kwargs).to(META).train()
    for size in LADDER:  # of the client, with 3, 2 and 1 levels
        # x, y and the visibility
        assert copies_of_step(model, size) == [(2, NUM_KEYPOINTS, 3)]


@pytest.mark.parametrize('wait', [
    lambda x: x.sum().item(),
    lambda x: float(x.sum()),
    lambda x: x[x > 0],
    lambda x: (x > 0).nonzero(),
    lambda x: x.cpu(),
    lambda x: x.tolist(),
    lambda x: 1 if x.sum() > 0 else 0,
])  # yapf: disable
def test_the_meta_device_shows_what_waits(wait):
    with pytest.raises((RuntimeError, NotImplementedError)):
        wait(torch.ones(3, device=META))


@pytest.mark.parametrize('copy', [
    lambda x: x.new_tensor([1., 2.]),
    lambda x: torch.tensor([1., 2.], device=x.device),
    lambda x: torch.as_tensor([1., 2.], device=x.device),
    lambda x: torch.ones(2).to(x.device),
    lambda x: x.copy_(torch.ones(2)),
])  # yapf: disable
def test_copies_to_the_device_are_seen(copy):
    x = torch.ones(2, device=META)
    with copies_to_device() as shapes:
        copy(x)
        x * 2 + torch.arange(2, device=META)
    assert shapes == [(2, )]
