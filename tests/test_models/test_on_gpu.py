"""On a GPU: the values of the CPU, and no waiting for the device."""

import copy

import pytest
import torch

from mmpose_raf.models.heatmap_decoding import decode_heatmaps
from mmpose_raf.models.heatmap_targets import encode_batch
from tests.test_models.reference import TINY
from tests.test_models.test_pose_estimators.test_raf_pose_estimator import (
    HIGH, LADDER, LOW, batch_of, build, flip_cfg, head_cfg, predict)

pytestmark = pytest.mark.gpu
DEVICE = torch.device('cuda')


@pytest.fixture(autouse=True)
def exact_products():
    """No TF32: what is left is the order of sums."""
    allowed = torch.backends.cuda.matmul.allow_tf32, \
        torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, \
        torch.backends.cudnn.allow_tf32 = allowed


def train_once(model, images, samples):
    """Losses and gradients of a batch."""
    model.train().zero_grad()
    losses = model.loss(images, samples)
    (losses['loss_kpt'] + losses['loss_kd']).backward()
    return losses, [parameter.grad for parameter in model.parameters()]


def assert_like_on_cpu(rtol=1e-3, ladder=LADDER, **options):
    """Losses, and gradients to a share of the largest, are the CPU's."""
    images, samples = batch_of(HIGH)
    plain, model = build(ladder=ladder), build(ladder=ladder, **options)
    plain.load_state_dict(model.state_dict())
    expected, expected_gradients = train_once(plain, images, samples)
    losses, gradients = train_once(
        model.to(DEVICE), images.to(DEVICE), samples)
    assert losses.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(losses[key].cpu(), value, rtol=rtol,
                                   atol=1e-5)
    largest = max(gradient.abs().max() for gradient in expected_gradients)
    for gradient, value in zip(gradients, expected_gradients):
        torch.testing.assert_close(gradient.cpu(), value, rtol=rtol,
                                   atol=rtol * largest.item())


@pytest.mark.parametrize('passes', ['joint', 'in_turn'])
def test_a_step_is_that_of_the_cpu(passes):
    assert_like_on_cpu(passes=passes)


@pytest.mark.slow
def test_a_compiled_step_is_that_of_the_cpu():
    assert_like_on_cpu(ladder=[HIGH, LOW], torch_compile=True)


def test_a_step_in_bfloat16_is_near_that_of_the_cpu():
    images, samples = batch_of(HIGH)
    model = build()
    expected = model.loss(images, samples)
    with torch.autocast('cuda', torch.bfloat16):
        losses = model.to(DEVICE).loss(images.to(DEVICE), samples)
    for key in ('loss_kpt', 'loss_kd'):
        assert losses[key].dtype == torch.float32
        torch.testing.assert_close(losses[key].cpu(), expected[key], rtol=.1,
                                   atol=0)


@pytest.mark.parametrize('passes', ['joint', 'in_turn'])
def test_a_step_waits_for_nothing(passes):
    model = build(passes=passes).to(DEVICE)
    images, samples = batch_of(HIGH)
    images = images.to(DEVICE)
    train_once(model, images, samples)  # which sends the constants
    torch.cuda.set_sync_debug_mode('error')
    try:
        train_once(model, images, samples)
    finally:
        torch.cuda.set_sync_debug_mode('default')


@pytest.mark.parametrize('joint_flip', [False, True])
def test_a_flip_test_finds_the_keypoints_of_the_cpu(joint_flip):
    model = build(backbone=dict(type='RAFViT', arch=TINY)).double()
    images, samples = batch_of(HIGH)
    images = images.double()
    expected, _ = predict(model, images, samples, **flip_cfg())
    found, _ = predict(
        copy.deepcopy(model).to(DEVICE), images.to(DEVICE), samples,
        **flip_cfg(joint_flip=joint_flip))
    for ours, theirs in zip(found, expected):
        # in pixels of the photograph
        assert abs(ours.pred_instances.keypoints -
                   theirs.pred_instances.keypoints).max() < 1e-2


@pytest.mark.parametrize('unbiased', [None, True])
def test_targets_and_decoding_are_those_of_the_cpu(unbiased):
    decoder = build().codec
    if unbiased is not None:
        decoder = build(
            head=head_cfg(
                decoder=dict(
                    type='MSRAHeatmap',
                    input_size=HIGH,
                    heatmap_size=(48, 64),
                    sigma=2,
                    unbiased=unbiased))).codec
    keypoints = torch.rand(4, 5, 2) * torch.tensor(LADDER[0])
    visible = torch.ones(4, 5)
    heatmaps, weights = encode_batch(decoder, keypoints, visible)
    on_gpu, gpu_weights = encode_batch(decoder, keypoints.to(DEVICE),
                                       visible.to(DEVICE))
    torch.testing.assert_close(on_gpu.cpu(), heatmaps)
    assert gpu_weights.cpu().equal(weights)
    found, scores = decode_heatmaps(decoder, on_gpu)
    expected, expected_scores = decode_heatmaps(decoder, heatmaps)
    torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-2)
    torch.testing.assert_close(scores.cpu(), expected_scores)
