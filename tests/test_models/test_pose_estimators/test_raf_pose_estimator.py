import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from mmpose.codecs import MSRAHeatmap, UDPHeatmap
from mmpose.models.heads import HeatmapHead
from mmpose.models.losses import KeypointMSELoss
from mmpose.registry import MODELS, TRANSFORMS
from mmpose.structures import PoseDataSample

from mmpose_raf.errors import ConfigError
from mmpose_raf.models import RAFPoseEstimator
from tests.test_models.reference import TINY

HIGH, MID, LOW = (192, 256), (144, 192), (96, 128)
LADDER = [HIGH, MID, LOW]
NUM_KEYPOINTS = 5


def codec_cfg(udp=True, size=HIGH):
    return dict(
        type='UDPHeatmap' if udp else 'MSRAHeatmap',
        input_size=size,
        heatmap_size=(size[0] // 4, size[1] // 4),
        sigma=2)


def head_cfg(type='AnyResolutionHeatmapHead', in_channels=32, **kwargs):
    return dict(
        type=type,
        in_channels=in_channels,
        out_channels=NUM_KEYPOINTS,
        **{
            'decoder': codec_cfg(),
            'deconv_out_channels': (8, 8),
            'deconv_kernel_sizes': (4, 4),
            'loss': dict(type='KeypointMSELoss', use_target_weight=True),
            **kwargs
        })


def build(type='RAFPoseEstimator', **kwargs):
    """An estimator in evaluation mode: batch norm keeps its statistics."""
    if type == 'RAFPoseEstimator':
        kwargs = {'ladder': LADDER, **kwargs}
    model = MODELS.build(
        dict(
            type=type,
            **{
                'backbone': dict(type='RAFViT', arch=TINY),
                'head': head_cfg(),
                **kwargs
            }))
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=.1)
    return model.eval()


def sample_of(size, seed=0, weights=None, low=.3, high=.7):
    """Annotation of a person in a crop (w, h)."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(low, high, (1, NUM_KEYPOINTS, 2)) * size
    visible = np.ones((1, NUM_KEYPOINTS), np.float32)
    visible[0, seed % NUM_KEYPOINTS] = 0
    sample = PoseDataSample(
        metainfo=dict(
            input_size=size,
            input_center=np.float32([300, 200]),
            input_scale=np.float32([150, 200]),
            flip_indices=[1, 0, 3, 2, 4]))
    sample.gt_instances = InstanceData(
        keypoints=10 * keypoints,  # of the photograph, not of the crop
        transformed_keypoints=keypoints,
        keypoints_visible=visible,
        bboxes=np.zeros((1, 4), np.float32),
        bbox_scores=np.ones(1, np.float32))
    if weights is not None:
        sample.gt_instance_labels = InstanceData(
            keypoint_weights=torch.tensor([weights]))
    return sample


def batch_of(size, count=2, **kwargs):
    images = torch.randn(count, 3, size[1], size[0])
    return images, [sample_of(size, i, **kwargs) for i in range(count)]


def levels_by_hand(model,
                   images,
                   samples,
                   levels,
                   sigmas,
                   udp=True,
                   native=None):
    """Heatmaps, targets and weights from MMPose's parts, level by level."""
    native = native or levels[0]
    result = []
    for size, sigma in zip(levels, sigmas):
        shift = int(udp)
        if udp:
            resized = F.interpolate(
                images,
                size=(size[1], size[0]),
                mode='bilinear',
                align_corners=True)
        else:
            at = [np.arange(s) * n / s for s, n in zip(size, native)]
            at = [a.astype(np.float32) for a in at]
            maps = np.meshgrid(*at)
            resized = torch.stack([
                torch.from_numpy(
                    cv2.remap(
                        image.permute(1, 2, 0).numpy(),
                        *maps,
                        interpolation=cv2.INTER_LINEAR)).permute(2, 0, 1)
                for image in images
            ])
        ratio = [(s - shift) / (n - shift) for s, n in zip(size, native)]
        codec = (UDPHeatmap if udp else MSRAHeatmap)(
            size, (size[0] // 4, size[1] // 4), sigma=sigma)
        targets, weights = [], []
        for sample in samples:
            encoded = codec.encode(
                sample.gt_instances.transformed_keypoints * ratio,
                sample.gt_instances.keypoints_visible)
            targets.append(torch.from_numpy(encoded['heatmaps']))
            weights.append(torch.from_numpy(encoded['keypoint_weights'][0]))
        heatmaps = model(resized, None, mode='tensor')
        result.append((heatmaps, torch.stack(targets), torch.stack(weights)))
    return result


def loss_by_hand(levels, alpha=1., teacher='next'):
    """1/n sum_l (task_l + alpha kd_l) and its terms."""
    tasks, kds = [], []
    weights = levels[0][2][..., None, None]
    for i, (heatmaps, targets, level_weights) in enumerate(levels):
        tasks.append(
            KeypointMSELoss(use_target_weight=True)(heatmaps, targets,
                                                    level_weights))
        if i > 0:
            above = levels[i - 1 if teacher == 'next' else 0][0]
            student = F.interpolate(heatmaps, size=above.shape[-2:])
            kds.append(((weights * (student - above))**2).mean())
    total = (sum(tasks) + alpha * sum(kds)) / len(levels)
    return total, tasks, kds


# -- the loss ----------------------------------------------------------------


@pytest.mark.parametrize('native, levels', [
    (HIGH, [HIGH, MID, LOW]),
    (MID, [MID, LOW]),
    (LOW, [LOW]),
    ((160, 224), [(160, 224), MID, LOW]),
    ((64, 64), [(64, 64)]),
])
def test_loss_is_that_by_hand(native, levels):
    model = build()
    images, samples = batch_of(native)
    with torch.no_grad():
        losses = model.loss(images, samples)
        expected, tasks, kds = loss_by_hand(
            levels_by_hand(model, images, samples, levels, [2] * 3))
    total, _ = model.parse_losses(losses)
    torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-8)

    names = [f'{height}x{width}' for width, height in levels]
    keys = {'loss_kpt', 'acc_pose', *(f'task_{name}' for name in names)}
    if len(levels) > 1:
        keys |= {'loss_kd', *(f'kd_{name}' for name in names[1:])}
    assert set(losses) == keys
    for name, task in zip(names, tasks):
        torch.testing.assert_close(losses[f'task_{name}'], task)
    for name, kd in zip(names[1:], kds):
        assert kd > 0
        torch.testing.assert_close(losses[f'kd_{name}'], kd)


@pytest.mark.parametrize('options', [
    dict(alpha=.5),
    dict(alpha=0.),
    dict(teacher='highest'),
    dict(alpha=2., teacher='highest'),
])
def test_options_of_the_distillation_change_the_loss_as_told(options):
    distill = dict(type='MultiResolutionDistillLoss', **options)
    model = build(distill=distill)
    images, samples = batch_of(HIGH)
    with torch.no_grad():
        total, _ = model.parse_losses(model.loss(images, samples))
        levels = levels_by_hand(model, images, samples, LADDER, [2] * 3)
    expected, _, _ = loss_by_hand(levels, **options)
    torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-8)
    assert abs(total - loss_by_hand(levels)[0]) > 1e-3 * total


def test_without_distillation_the_loss_is_that_of_the_tasks():
    model = build(distill=None)
    images, samples = batch_of(HIGH)
    losses = model.loss(images, samples)
    assert not any(key.startswith(('kd_', 'loss_kd')) for key in losses)
    total, _ = model.parse_losses(losses)
    with torch.no_grad():
        levels = levels_by_hand(model, images, samples, LADDER, [2] * 3)
    expected, _, _ = loss_by_hand(levels, alpha=0)
    torch.testing.assert_close(total.detach(), expected, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize('native, shares', [
    (HIGH, [16 / 29, 9 / 29, 4 / 29]),
    (MID, [9 / 13, 4 / 13]),
    (LOW, [1.]),
])
def test_levels_are_weighted_by_their_area(native, shares):
    model = build(level_weights='area', distill=dict(
        type='MultiResolutionDistillLoss', alpha=.5))
    images, samples = batch_of(native)
    levels = LADDER[LADDER.index(native):]
    with torch.no_grad():
        total, _ = model.parse_losses(model.loss(images, samples))
        _, tasks, kds = loss_by_hand(
            levels_by_hand(model, images, samples, levels, [2] * 3))
    expected = sum(w * task for w, task in zip(shares, tasks)) + sum(
        .5 * w * kd for w, kd in zip(shares[1:], kds))
    torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-8)


def test_one_level_a_batch_is_drawn_by_its_weight():
    model = build(level_weights='area', levels='one', distill=None)
    images, samples = batch_of(HIGH, count=1)
    every = build(distill=None)
    every.load_state_dict(model.state_dict())
    counts = dict.fromkeys(['task_256x192', 'task_192x144', 'task_128x96'], 0)
    torch.manual_seed(3)
    with torch.no_grad():
        tasks = every.loss(images, samples)
        for _ in range(120):
            losses = model.loss(images, samples)
            name, = set(losses) - {'loss_kpt', 'acc_pose'}
            counts[name] += 1
            torch.testing.assert_close(losses['loss_kpt'], tasks[name])
    # Three standard deviations of a share near one half are 16 draws.
    for count, share in zip(counts.values(), [16 / 29, 9 / 29, 4 / 29]):
        assert abs(count - 120 * share) < 17


def test_one_level_a_batch_follows_torchs_seed():
    model = build(levels='one', distill=None)
    images, samples = batch_of(HIGH, count=1)

    def draw():
        torch.manual_seed(5)
        with torch.no_grad():
            return [sorted(model.loss(images, samples)) for _ in range(6)]

    assert draw() == draw()


def test_split_trains_each_sample_at_one_level(monkeypatch):
    # 7 / 3 + 0.5 and 14 / 3 + 0.5 are rounded down.
    monkeypatch.setattr(torch, 'rand', lambda size: torch.tensor(.5))
    model = build(levels='split', distill=None)
    images, samples = batch_of(HIGH, count=7)
    alone = build(ladder=[], distill=None)
    alone.load_state_dict(model.state_dict())
    # Batch normalisation would tie the samples of a level together.
    model.eval(), alone.eval()
    with torch.no_grad():
        losses = model.loss(images, samples)
        tasks = [
            levels_by_hand(
                alone,
                images[[at]],
                samples[at:at + 1], [size], [2],
                native=HIGH)
            for at, size in enumerate([HIGH] * 2 + [MID] * 3 + [LOW] * 2)
        ]
        expected = sum(loss_by_hand(task)[0] for task in tasks) / 7
    torch.testing.assert_close(losses['loss_kpt'], expected)
    assert set(losses) == {
        'loss_kpt', 'task_256x192', 'task_192x144', 'task_128x96', 'acc_pose'
    }


def test_split_follows_torchs_seed():
    model = build(levels='split', distill=None)
    images, samples = batch_of(HIGH, count=2)

    def draw():
        torch.manual_seed(5)
        with torch.no_grad():
            return [sorted(model.loss(images, samples)) for _ in range(6)]

    first = draw()
    assert first == draw()
    assert len(set(map(tuple, first))) > 1


@pytest.mark.parametrize('native', [LOW, MID, (160, 224)])
def test_levels_above_the_native_size_are_trained_if_wanted(native):
    model = build(upward=True, level_weights='area')
    images, samples = batch_of(native)
    levels = sorted({*LADDER, native}, reverse=True)
    with torch.no_grad():
        total, _ = model.parse_losses(model.loss(images, samples))
        _, tasks, kds = loss_by_hand(
            levels_by_hand(model, images, samples, levels, [2] * 4,
                           native=native))
    area = sum(w * h for w, h in levels)
    shares = [w * h / area for w, h in levels]
    expected = sum(w * task for w, task in zip(shares, tasks)) + sum(
        w * kd for w, kd in zip(shares[1:], kds))
    torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-8)


def test_an_empty_ladder_trains_at_the_native_size():
    model = build(ladder=[])
    images, samples = batch_of(MID)
    with torch.no_grad():
        losses = model.loss(images, samples)
        total, _, _ = loss_by_hand(
            levels_by_hand(model, images, samples, [MID], [2]))
    assert set(losses) == {'loss_kpt', 'task_192x144', 'acc_pose'}
    torch.testing.assert_close(losses['loss_kpt'], total, rtol=1e-4, atol=1e-8)


def test_relative_sigma_rules_the_targets():
    model = build(head=head_cfg(sigma_mode='relative'))
    assert model.sigma_mode == 'relative'
    images, samples = batch_of(HIGH)
    with torch.no_grad():
        total, _ = model.parse_losses(model.loss(images, samples))
        expected, _, _ = loss_by_hand(
            levels_by_hand(model, images, samples, LADDER, [2, 1.5, 1]))
    torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-8)


def test_a_smaller_client_keeps_the_width_in_the_image():
    model = build(head=head_cfg(sigma_mode='relative'))
    images, samples = batch_of(MID)
    with torch.no_grad():
        total, _ = model.parse_losses(model.loss(images, samples))
        expected, _, _ = loss_by_hand(
            levels_by_hand(model, images, samples, [MID, LOW], [1.5, 1]))
    torch.testing.assert_close(total, expected, rtol=1e-4, atol=1e-8)


def test_loss_of_msra_heatmaps_is_that_by_hand():
    model = build(head=head_cfg(decoder=codec_cfg(udp=False)))
    images, samples = batch_of(HIGH)
    with torch.no_grad():
        total, _ = model.parse_losses(model.loss(images, samples))
        expected, _, _ = loss_by_hand(
            levels_by_hand(model, images, samples, LADDER, [2] * 3, udp=False))
    torch.testing.assert_close(total, expected, rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize('udp', [False, True])
def test_distillation_resizes_in_the_coordinates_of_the_codec(udp):
    distill = dict(type='MultiResolutionDistillLoss', resize='bilinear')
    model = build(
        ladder=[HIGH, LOW],
        distill=distill,
        head=head_cfg(decoder=codec_cfg(udp)))
    images, samples = batch_of(HIGH)
    with torch.no_grad():
        found = model.loss(images, samples)['kd_128x96']
        (high, _, weights), (low, _, _) = levels_by_hand(
            model, images, samples, [HIGH, LOW], [2, 2], udp)
    # UDP keeps the outermost pixels' centres, MMPose without it the origin:
    # at a ratio of 2 each second pixel is one of the student's.
    if udp:
        student = F.interpolate(
            low, size=(64, 48), mode='bilinear', align_corners=True)
    else:
        low = F.pad(low, (0, 1, 0, 1), mode='replicate')
        student = F.interpolate(
            low, size=(65, 49), mode='bilinear',
            align_corners=True)[..., :-1, :-1]
    error = weights[..., None, None] * (student - high)
    torch.testing.assert_close(found, error.square().mean())


def test_gradient_is_that_of_the_formula():
    model = build()
    images, samples = batch_of(HIGH)
    total, _ = model.parse_losses(model.loss(images, samples))
    total.backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    levels = levels_by_hand(model, images, samples, LADDER, [2] * 3)
    tasks = loss_by_hand(levels, alpha=0)[0]
    weights = levels[0][2][..., None, None]
    kds = 0
    for (teacher, _, _), (student, _, _) in zip(levels, levels[1:]):
        student = F.interpolate(student, size=teacher.shape[-2:])
        kds += ((weights * (student - teacher.detach()))**2).mean()
    (tasks + kds / 3).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(
            gradients[name], parameter.grad, rtol=1e-3, atol=1e-6)


def test_only_the_two_sums_are_trained():
    images, samples = batch_of(HIGH)
    losses = build().loss(images, samples)
    trained = {key for key, value in losses.items() if value.requires_grad}
    assert trained == {'loss_kpt', 'loss_kd'}
    total, log = RAFPoseEstimator.parse_losses(build(), losses)
    assert total == losses['loss_kpt'] + losses['loss_kd']
    assert log['loss'] == total
    assert 0 <= losses['acc_pose'] <= 1


def test_accuracy_is_that_of_the_native_level(monkeypatch):
    model = build()
    images, samples = batch_of(HIGH)
    with torch.no_grad():
        _, targets, weights = levels_by_hand(model, images, samples, [HIGH],
                                             [2])[0]
    # a head that finds the first two keypoints only, at its native size
    outputs = torch.zeros(2, NUM_KEYPOINTS, 64, 48)
    outputs[:, :2] = targets[:, :2]
    outputs[:, 2:, 0, 0] = 1
    maps = {64: outputs}
    monkeypatch.setattr(
        model.head, 'forward', lambda feats: maps.get(
            feats[-1].shape[-2] * 4,
            torch.zeros(2, NUM_KEYPOINTS, feats[-1].shape[-2] * 4, feats[-1].
                        shape[-1] * 4)))
    accuracy = model.loss(images, samples)['acc_pose']
    # Keypoints 0 and 1 are seen in one image each, and found there.
    assert weights.sum(0).tolist() == [1, 1, 2, 2, 2]
    assert accuracy.item() == pytest.approx(2 / 5)


def test_autocast_to_bfloat16_changes_little():
    model = build()
    images, samples = batch_of(HIGH)
    exact = model.parse_losses(model.loss(images, samples))[0]
    with torch.autocast('cpu', torch.bfloat16):
        losses = model.loss(images, samples)
    total, _ = model.parse_losses(losses)
    assert total.dtype == torch.float32
    assert total.item() == pytest.approx(exact.item(), rel=.1)
    total.backward()


# -- weights and keypoints ---------------------------------------------------


def loss_with(weights, visible=None, alpha=1.):
    torch.manual_seed(0)
    model = build(distill=dict(type='MultiResolutionDistillLoss', alpha=alpha))
    images = torch.randn(1, 3, 128, 96)
    sample = sample_of(LOW, weights=weights)
    sample.gt_instances.keypoints_visible[:] = 1
    if visible is not None:
        sample.gt_instances.keypoints_visible = np.float32(visible)
    return model.loss(images, [sample])['loss_kpt'].item()


def test_weights_of_the_pipeline_are_used():
    alone = [loss_with(list(row)) for row in np.eye(5)]
    assert min(alone) > 0
    assert loss_with([1., 1, 1, 1, 1]) == pytest.approx(sum(alone))
    assert loss_with(None) == pytest.approx(sum(alone))
    assert loss_with([1., 0, 2, 0, 0]) == pytest.approx(
        alone[0] + 2 * alone[2], rel=1e-4)


def test_a_small_weight_is_no_invisible_keypoint():
    # CrowdPose weighs the keypoints of the face with 0.2.
    assert loss_with([.2, 0., 0, 0, 0]) == pytest.approx(
        .2 * loss_with([1., 0, 0, 0, 0]), rel=1e-4)


def test_visibility_may_come_with_a_weight_of_its_own():
    visible = np.stack((np.eye(5)[1], np.ones(5)), -1)[None]
    assert loss_with(None,
                     visible) == pytest.approx(loss_with([0., 1, 0, 0, 0]))


def test_keypoints_outside_a_level_do_not_count():
    model = build(distill=None)
    images = torch.randn(1, 3, 256, 192)
    sample = sample_of(HIGH)
    sample.gt_instances.keypoints_visible[:] = [[1, 0, 0, 0, 0]]
    # A Gaussian reaches 6 heatmap pixels: more of the person the smaller the
    # image is.
    sample.gt_instances.transformed_keypoints[0, 0] = [-37., 128.]
    losses = model.loss(images, [sample])
    assert losses['task_256x192'] == 0
    assert losses['task_192x144'] > 0
    assert losses['task_128x96'] > 0


def test_missing_keypoints_are_explained():
    model = build()
    images, samples = batch_of(HIGH)
    samples[1].gt_instances.pop('transformed_keypoints')
    with pytest.raises(ConfigError, match='pack_transformed=True') as error:
        model.loss(images, samples)
    assert error.value.field == 'train_pipeline.PackPoseInputs'


# -- with MMPose's parts -----------------------------------------------------


def person():
    """What a dataset of MMPose gives for a person."""
    rng = np.random.default_rng(0)
    return dict(
        img=rng.integers(0, 255, (300, 240, 3), dtype=np.uint8),
        id=1,
        img_id=1,
        img_path='',
        category_id=1,
        ori_shape=(300, 240),
        img_shape=(300, 240),
        bbox=np.float32([[50, 60, 170, 230]]),
        bbox_score=np.ones(1, np.float32),
        keypoints=rng.uniform([80, 90], [140, 200], (1, NUM_KEYPOINTS, 2)),
        keypoints_visible=np.float32([[1, 1, 0, 1, 1]]),
        flip_indices=[1, 0, 3, 2, 4])


@pytest.mark.parametrize('generate_target', [False, True])
@pytest.mark.parametrize('use_udp', [False, True])
def test_native_task_is_the_loss_of_mmpose(generate_target, use_udp):
    codec = codec_cfg(use_udp)
    pipeline = [
        dict(type='GetBBoxCenterScale'),
        dict(type='TopdownAffine', input_size=HIGH, use_udp=use_udp),
        dict(type='GenerateTarget', encoder=codec),
        dict(type='PackPoseInputs', pack_transformed=True),
    ]
    preprocessor = dict(
        type='PoseDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True)
    cfg = dict(head=head_cfg(decoder=codec), data_preprocessor=preprocessor)
    with DefaultScope.overwrite_default_scope('mmpose'):
        ours = build(**cfg)
        theirs = build('TopdownPoseEstimator', **cfg)
    theirs.load_state_dict(ours.state_dict())

    def data(pipeline):
        transforms = Compose([TRANSFORMS.build(cfg) for cfg in pipeline])
        batch = pseudo_collate([transforms(person())])
        return ours.data_preprocessor(batch)

    expected = theirs(**data(pipeline), mode='loss')
    if not generate_target:
        pipeline.pop(2)
    losses = ours(**data(pipeline), mode='loss')
    torch.testing.assert_close(losses['task_256x192'],
                               expected['loss_kpt'].detach())
    assert losses['acc_pose'].item() == pytest.approx(
        expected['acc_pose'].item())
    assert losses['kd_128x96'] > 0


@pytest.mark.parametrize('flip_test', [False, True])
def test_predict_is_mmposes(flip_test):
    cfg = dict(
        head=head_cfg('HeatmapHead'),
        test_cfg=dict(flip_test=flip_test, flip_mode='heatmap'))
    ours, theirs = build(**cfg), build('TopdownPoseEstimator', **cfg)
    theirs.load_state_dict(ours.state_dict())
    images, samples = batch_of(HIGH)
    _, same_samples = batch_of(HIGH)
    with torch.no_grad():
        predictions = ours(images, samples, mode='predict')
        expected = theirs(images, same_samples, mode='predict')
    for our, their in zip(predictions, expected):
        for key in ('keypoints', 'keypoint_scores'):
            np.testing.assert_array_equal(our.pred_instances[key],
                                          their.pred_instances[key])


def assert_same_keypoints(our, their):
    ours, theirs = our.pred_instances, their.pred_instances
    assert ours.keys() == theirs.keys()
    # in pixels of the photograph
    np.testing.assert_allclose(
        ours.keypoints, theirs.keypoints, rtol=0, atol=1e-3)
    np.testing.assert_allclose(
        ours.keypoint_scores, theirs.keypoint_scores, rtol=1e-5)


# -- the flip test -----------------------------------------------------------

# With two stages, which the neck joins.
CNN = dict(
    backbone=dict(
        type='ResNet', depth=18, base_channels=8, out_indices=(2, 3)),
    neck=dict(type='FeatureMapProcessor', concat=True),
    head=head_cfg('HeatmapHead', 96))


def flip_cfg(**options):
    return dict(flip_test=True, flip_mode='heatmap', **options)


@torch.no_grad()
def predict(model, images, samples, **test_cfg):
    """Predictions, and the batch sizes that the model's parts were given."""
    model.test_cfg = test_cfg
    sizes = dict(backbone=[], head=[])
    hooks = [
        module.register_forward_pre_hook(
            lambda _, args, name=name: sizes[name].append(len(args[0])))
        for name, module in (('backbone', model.backbone),
                             ('head', model.head.final_layer))
    ]
    predictions = model(images, [s.clone() for s in samples], mode='predict')
    for hook in hooks:
        hook.remove()
    return predictions, sizes


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('count', [1, 3])
@pytest.mark.parametrize('shift', [False, True])
@pytest.mark.parametrize('parts', [{}, CNN], ids=['RAFViT', 'ResNet'])
def test_joint_flip_is_two_passes(parts, shift, count, dtype):
    model = build(**parts).to(dtype)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(.5, 2)
    images, samples = batch_of(HIGH, count)
    images = images.to(dtype)
    options = flip_cfg(shift_heatmap=shift, output_heatmaps=True)
    joint, sizes = predict(model, images, samples, joint_flip=True, **options)
    assert sizes == dict(backbone=[2 * count], head=[count, count])
    apart, sizes = predict(model, images, samples, **options)
    assert sizes == dict(backbone=[count, count], head=[count, count])
    assert len(joint) == len(apart) == count
    for our, their in zip(joint, apart):
        # A parabola through random heatmaps makes much of rounding.
        if dtype == torch.float64:
            assert_same_keypoints(our, their)
        ours, theirs = our.pred_fields.heatmaps, their.pred_fields.heatmaps
        assert ours.shape == (NUM_KEYPOINTS, 64, 48)
        error = 1e-5 * theirs.abs().max().item()
        torch.testing.assert_close(ours, theirs, rtol=0, atol=error)


@pytest.mark.parametrize('joint_flip', [False, True])
def test_without_flip_test_there_is_one_pass(joint_flip):
    images, samples = batch_of(HIGH)
    predictions, sizes = predict(
        build(), images, samples, flip_test=False, joint_flip=joint_flip)
    assert sizes == dict(backbone=[2], head=[2])
    assert 'pred_fields' not in predictions[0]


def test_joint_flip_leaves_the_head_as_it_is(monkeypatch):
    model = build()
    shapes = []
    decode = model.head.decode
    # as the evaluation at many sizes replaces it
    monkeypatch.setattr(model.head, 'decode', lambda heatmaps: shapes.append(
        heatmaps.shape) or decode(heatmaps))
    before = dict(vars(model.head))
    predictions, _ = predict(
        model, *batch_of(HIGH), **flip_cfg(joint_flip=True))
    assert 'pred_fields' not in predictions[0]
    assert shapes == [(2, NUM_KEYPOINTS, 64, 48)]
    assert vars(model.head) == before


class FeatureHead(HeatmapHead):
    """A head that looks at the features when it predicts."""

    def predict(self, feats, *args, **kwargs):
        self.seen = [maps[-1].shape for maps in feats]
        return super().predict(feats, *args, **kwargs)


def test_a_head_that_predicts_in_its_own_way_gets_features():
    model = build(head=head_cfg('HeatmapHead'))
    model.head.__class__ = FeatureHead
    _, sizes = predict(model, *batch_of(HIGH), **flip_cfg(joint_flip=True))
    assert sizes['backbone'] == [4]
    assert model.head.seen == [(2, 32, 16, 12)] * 2


# -- at other sizes and with other parts of MMPose ---------------------------


def test_one_checkpoint_predicts_at_any_size(monkeypatch):
    model = build()
    share = np.array([.3, .6])

    def forward(feats):
        """A head that finds every keypoint at the same share of its map."""
        height, width = (4 * side for side in feats[-1].shape[-2:])
        codec = UDPHeatmap((width, height), (width, height), sigma=2)
        keypoints = np.tile(share * [width - 1, height - 1],
                            (1, NUM_KEYPOINTS, 1))
        heatmaps = torch.from_numpy(codec.encode(keypoints)['heatmaps'])
        return heatmaps.expand(2, -1, -1, -1)

    monkeypatch.setattr(model.head, 'forward', forward)
    for size in (HIGH, MID, LOW, (48, 64), (288, 384), (128, 96)):
        images, samples = batch_of(size)
        for prediction in model(images, samples, mode='predict'):
            keypoints = prediction.pred_instances.keypoints
            assert keypoints.shape == (1, NUM_KEYPOINTS, 2)
            # in the photograph, where the crop has its centre and size
            expected = (share - .5) * [150, 200] + [300, 200]
            np.testing.assert_allclose(
                keypoints[0], np.tile(expected, (NUM_KEYPOINTS, 1)), atol=.1)


@pytest.mark.parametrize(
    'backbone, channels, neck', [
        (dict(type='ResNet', depth=50, base_channels=8), 256, None),
        (dict(
            type='HRNet',
            in_channels=3,
            extra=dict(
                stage1=dict(
                    num_modules=1,
                    num_branches=1,
                    block='BOTTLENECK',
                    num_blocks=(1, ),
                    num_channels=(8, )),
                stage2=dict(
                    num_modules=1,
                    num_branches=2,
                    block='BASIC',
                    num_blocks=(1, 1),
                    num_channels=(8, 16)),
                stage3=dict(
                    num_modules=1,
                    num_branches=3,
                    block='BASIC',
                    num_blocks=(1, 1, 1),
                    num_channels=(8, 16, 32)),
                stage4=dict(
                    num_modules=1,
                    num_branches=4,
                    block='BASIC',
                    num_blocks=(1, 1, 1, 1),
                    num_channels=(8, 16, 32, 64),
                    multiscale_output=True))), 8,
         dict(type='FeatureMapProcessor', select_index=0)),
    ],
    ids=['ResNet', 'HRNet'])
def test_backbones_and_head_of_mmpose_are_trained(backbone, channels, neck):
    deconv = (8, 8, 8) if neck is None else None
    model = build(
        ladder=[LOW, (64, 96)],
        backbone=backbone,
        neck=neck,
        head=head_cfg(
            'HeatmapHead',
            channels,
            decoder=codec_cfg(size=LOW),
            deconv_out_channels=deconv,
            deconv_kernel_sizes=(4, 4, 4) if deconv else None))
    assert model.sigma_mode == 'pixel'
    images, samples = batch_of(LOW)
    total, _ = model.parse_losses(model.loss(images, samples))
    with torch.no_grad():
        expected, _, _ = loss_by_hand(
            levels_by_hand(model, images, samples, [LOW, (64, 96)], [2, 2]))
    torch.testing.assert_close(total.detach(), expected, rtol=1e-3, atol=1e-7)
    total.backward()
    assert model.backbone.conv1.weight.grad.abs().sum() > 0


# -- configs that do not fit -------------------------------------------------


@pytest.mark.parametrize('options, field, part', [
    (dict(ladder=None), 'model.ladder', 'None'),
    (dict(level_weights='size'), 'model.level_weights',
     'uniform, area, inverse_area'),
    (dict(levels='two'), 'model.levels', 'all, split, one'),
    (dict(levels='one'), 'model.distill', 'no teacher'),
    (dict(levels='split'), 'model.distill', 'no teacher'),
    (dict(ladder=[HIGH, (100, 132)]), 'model.ladder', '132x100'),
    (dict(ladder=[HIGH, (97, 128)]), 'input_size', r'\(97, 128\)'),
    (dict(head=head_cfg('HeatmapHead', decoder=None)), 'model.head.decoder',
     'NoneType'),
    (dict(
        head=dict(
            type='RegressionHead', in_channels=32, num_joints=NUM_KEYPOINTS)),
     'model.head', 'AnyResolutionHeatmapHead'),
])
def test_what_does_not_fit_is_refused(options, field, part):
    with pytest.raises(ConfigError, match=part) as error:
        build(**options)
    assert error.value.field == field


def test_ladder_is_kept_from_high_to_low():
    assert build(ladder=[list(LOW), HIGH, MID]).ladder == LADDER
