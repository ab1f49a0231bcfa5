"""PGD against closed forms and on a real model."""

import copy

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.registry import DATASETS
from mmpose.registry import MODELS

from mmpose_raf.attacks import PGD
from mmpose_raf.attacks.pgd import images_of, loss_of
from mmpose_raf.models.evaluation_mode import evaluating
from tests.toy import SIZES, toy_dataset, toy_model


class Linear(BaseModel):
    """Its loss is <w, x>: PGD's best image is known."""

    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(weight)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        raise AssertionError('hooks of a local objective hang on it')

    def loss(self, inputs, data_samples):
        assert not self.training
        return dict(loss=(self.weight * inputs).sum(), acc=torch.zeros(1))


def toy_batch(size=SIZES['high'], count=3):
    dataset = DATASETS.build(
        toy_dataset(count, augmented=False, size=size))
    return pseudo_collate([dataset[i] for i in range(count)])


def raf(**kwargs):
    torch.manual_seed(0)
    model = MODELS.build(dict(toy_model(), **kwargs))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=.1)
    return model


@pytest.mark.parametrize('steps', [4, 9])
def test_the_best_image_of_a_linear_loss(steps):
    """Twice eps is the longest way; each pixel goes to its own end."""
    torch.manual_seed(0)
    weight = torch.randn(1, 3, 4, 5)
    images = torch.randint(256, (2, 3, 4, 5)).float()
    moved = PGD(8., 4., steps).attack(Linear(weight), images, [])
    expected = (images + 8 * weight.sign()).clamp(0, 255)
    torch.testing.assert_close(moved, expected)


def test_one_step_from_a_drawn_start():
    torch.manual_seed(3)
    images = torch.full((1, 3, 2, 2), 100.)
    moved = PGD(6., 1., 1).attack(
        Linear(torch.ones(1, 3, 2, 2)), images, [])
    torch.manual_seed(3)
    drawn = torch.empty_like(images).uniform_(-6, 6)
    torch.testing.assert_close(moved, (images + drawn + 1).clamp(94, 106))
    assert drawn.unique().numel() == 12


def test_a_model_fails_and_is_as_before():
    model = raf().train()
    before = copy.deepcopy(model.state_dict())
    batch = toy_batch()
    images = images_of(batch, model)
    moved = PGD(8., 2., 5).attack(model, images, batch['data_samples'])
    assert ((moved - images).abs() <= 8).all()
    assert 0 <= moved.min() and moved.max() <= 255
    with evaluating(model):
        clean, changed = (loss_of(model, value, batch['data_samples'])
                          for value in (images, moved))
        noise = (images + 8 * torch.randn_like(images).sign()).clamp(0, 255)
        noisy = loss_of(model, noise, batch['data_samples'])
    assert changed - clean > 5 * abs(noisy - clean)
    assert model.training and model.head.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    assert all(p.grad is None for p in model.parameters())


def test_images_are_attacked_at_their_own_size():
    """Whatever levels the training draws."""
    batch = toy_batch()
    moved = []
    for options in (dict(levels='one', upward=True), dict(ladder=[])):
        model = raf(distill=None, **options)
        ladder = model.ladder
        torch.manual_seed(1)
        moved.append(
            PGD(8., 2., 3).attack(model, images_of(batch, model),
                                  batch['data_samples']))
        assert model.ladder is ladder
    assert torch.equal(*moved)


def test_levels_in_turn_have_the_same_gradient():
    """Graphs that are freed early would cut the images off."""
    batch = toy_batch()
    gradients = []
    for passes in ('joint', 'in_turn'):
        model = raf(passes=passes).eval()
        images = images_of(batch, model).requires_grad_()
        gradients += torch.autograd.grad(
            loss_of(model, images, batch['data_samples']), images)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize('arguments, name', [((0, 1, 1), 'eps'),
                                             ((1, -1, 1), 'step_size'),
                                             ((1, 1, 0), 'steps')])
def test_wrong_arguments(arguments, name):
    with pytest.raises(ValueError, match=f'{name} must be'):
        PGD(*arguments)
