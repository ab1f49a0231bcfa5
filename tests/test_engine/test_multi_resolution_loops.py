"""Loops over many resolutions: every number is known in advance."""

import numpy as np
import pytest
import torch
from mmengine.registry import TRANSFORMS
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from mmpose.datasets.transforms import LoadImage
from mmpose.registry import MODELS

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation import DriftGallery, DriftResult
from mmpose_raf.models import RAFPoseEstimator
from tests.toy import (CODEC, SIZES, hook_of, run, toy_config, toy_dataset,
                       toy_model, toy_pipeline)

# Error of the oracle as a share of the longer side of the person's box, by
# input size (w, h); it strikes the first of the three keypoints alone.
ERRORS = {
    (16, 32): .5,
    (32, 48): .2,
    (48, 64): .04,
    (96, 128): .12,
}
PCK = [dict(type='PCKAccuracy', thr=.1), dict(type='EPE')]


@MODELS.register_module(force=True)
class OraclePoseEstimator(RAFPoseEstimator):
    """Reads the annotation and errs as much as it is told to.

    Args:
        errors (list): Pairs of size (w, h) and error.
        **kwargs: As in ``RAFPoseEstimator``.
    """

    def __init__(self, errors, **kwargs):
        super().__init__(**kwargs)
        self.errors = {tuple(size): error for size, error in errors}
        self.seen = []

    def predict(self, inputs, data_samples):
        size = (inputs.shape[3], inputs.shape[2])
        self.seen.append(size)
        for sample in data_samples:
            assert sample.input_size == size
            truth = sample.gt_instances
            keypoints = truth.keypoints.copy()
            keypoints[0, 0, 0] += self.errors[size] * box_side(truth)
            sample.pred_instances = InstanceData(
                keypoints=keypoints,
                keypoint_scores=np.ones(keypoints.shape[:2]),
                bboxes=truth.bboxes,
                bbox_scores=truth.bbox_scores)
        return data_samples


def box_side(truth):
    x1, y1, x2, y2 = truth.bboxes[0]
    return max(x2 - x1, y2 - y1)


@TRANSFORMS.register_module(force=True)
class CountedLoadImage(LoadImage):
    """Counts how often an image is loaded."""

    calls = 0

    def transform(self, results):
        type(self).calls += 1
        return super().transform(results)


def test_config(work_dir,
                model=None,
                metrics=None,
                num_samples=10,
                clients=('high', 'low'),
                federated=True,
                **loop):
    """Config that tests a model at many sizes."""
    cfg = toy_config(work_dir, clients=clients, num_samples=num_samples)
    if model is not None:
        cfg.model = model
    if not federated:
        cfg.custom_hooks = []
    loop.setdefault('type', 'MultiResolutionTestLoop')
    loop.setdefault('input_sizes', list(ERRORS))
    cfg.test_cfg = loop
    cfg.test_evaluator = metrics or PCK
    dataset = dict(toy_dataset(num_samples, first=50, augmented=False),
                   test_mode=True)
    dataset['pipeline'][0] = dict(type='CountedLoadImage')
    cfg.test_dataloader = dict(batch_size=4,
                               num_workers=0,
                               sampler=dict(type='DefaultSampler',
                                            shuffle=False),
                               dataset=dataset)
    return cfg


test_config.__test__ = False


def oracle(**kwargs):
    model = toy_model()
    return dict(model,
                type='OraclePoseEstimator',
                errors=list(ERRORS.items()),
                **kwargs)


def evaluate(cfg):
    """Test a config; return its runner and the metrics."""
    runner = Runner.from_cfg(cfg)
    return runner, runner.test()


def mean_side(runner):
    dataset = runner.test_loop.evaluation.dataset.dataset
    return np.mean([
        max(box[0, 2:] - box[0, :2])
        for box in (dataset.get_data_info(i)['bbox']
                    for i in range(len(dataset)))
    ])


@pytest.fixture(scope='module')
def judged(tmp_path_factory):
    """An oracle that has been tested, with federation."""
    work_dir = tmp_path_factory.mktemp('judged')
    return evaluate(test_config(work_dir, oracle(), num_persons=3))


def test_metrics_of_each_size(judged):
    runner, metrics = judged
    side = mean_side(runner)
    for size, error in ERRORS.items():
        name = f'{size[1]}x{size[0]}'
        expected = 1 if error <= .1 else 2 / 3
        assert metrics[f'{name}/PCK'] == pytest.approx(expected, abs=1e-6)
        assert metrics[f'{name}/EPE'] == pytest.approx(error * side / 3,
                                                       rel=1e-5)


def test_summary(judged):
    _, metrics = judged
    # Trained: 64x48, 48x32 and 32x16, the clients' sizes with their ladder.
    assert metrics['trained/mean'] == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert metrics['trained/worst'] == pytest.approx(2 / 3)
    assert metrics['unseen/mean'] == pytest.approx(2 / 3)
    assert metrics['unseen/worst'] == pytest.approx(2 / 3)
    assert metrics['drift'] == pytest.approx(1 / 3)


def test_summary_of_an_error(tmp_path):
    runner, metrics = evaluate(
        test_config(tmp_path, oracle(), key_metric='EPE',
                    trained_sizes=[(48, 64), (16, 32)]))
    third = mean_side(runner) / 3
    assert metrics['trained/mean'] == pytest.approx(third * .27, rel=1e-5)
    assert metrics['trained/worst'] == pytest.approx(third * .5, rel=1e-5)
    assert metrics['unseen/mean'] == pytest.approx(third * .16, rel=1e-5)
    assert metrics['unseen/worst'] == pytest.approx(third * .2, rel=1e-5)
    assert metrics['drift'] == pytest.approx(third * .46, rel=1e-5)


def test_result_file(judged):
    runner, metrics = judged
    result = DriftResult.load(f'{runner.work_dir}/drift.json')
    assert result.dataset == 'toy'
    assert result.num_samples == 10
    assert (result.key_metric, result.rule) == ('PCK', 'greater')
    assert set(result.trained_sizes) == set(SIZES.values())
    assert result.keypoint_names == ['left', 'right', 'top']
    assert [found.view.input_size for found in result.views] == list(ERRORS)
    for found in result.views:
        error = ERRORS[found.view.input_size]
        assert found.metrics == {
            'PCK': metrics[f'{found.view.name}/PCK'],
            'EPE': metrics[f'{found.view.name}/EPE']
        }
        assert found.keypoint_accuracy == [float(error <= .1), 1., 1.]
        assert found.milliseconds > 0
        assert found.gflops > 0
    assert {
        key: metrics[key]
        for key in result.summary
    } == pytest.approx(result.summary)


def test_ceiling_is_that_of_the_decoder(judged):
    """Keypoints inside the crop come back to a fraction of a pixel."""
    runner, _ = judged
    result = DriftResult.load(f'{runner.work_dir}/drift.json')
    for found in result.views:
        assert found.ceiling['PCK'] == 1
        # In source pixels: a crop of 128 px shows a box of some 50.
        assert found.ceiling['EPE'] < .1


def test_clients_on_their_own_part(judged):
    runner, _ = judged
    result = DriftResult.load(f'{runner.work_dir}/drift.json')
    high, low = result.clients
    assert (high.name, high.view.input_size) == ('high', SIZES['high'])
    assert (low.name, low.view.input_size) == ('low', SIZES['low'])
    assert high.num_samples == low.num_samples == 5
    assert high.metrics['PCK'] == pytest.approx(1)
    assert low.metrics['PCK'] == pytest.approx(2 / 3)
    # The parts are those that the partitioner gives.
    hook = hook_of(runner)
    dataset = runner.test_loop.evaluation.dataset.dataset
    indices = hook.partitioner.partition(dataset, hook.clients, hook.seed)
    for client, own in zip(result.clients, indices):
        sides = [
            box_side(InstanceData(bboxes=dataset.get_data_info(i)['bbox']))
            for i in own
        ]
        error = ERRORS[client.view.input_size]
        assert client.metrics['EPE'] == pytest.approx(
            error * np.mean(sides) / 3, rel=1e-5)


def test_gallery(judged):
    runner, _ = judged
    gallery = DriftGallery.load(f'{runner.work_dir}/drift_gallery.npz')
    assert [view.name for view in gallery.views
            ] == [f'{h}x{w}' for w, h in ERRORS]
    dataset = runner.test_loop.evaluation.dataset
    for view, (w, h) in zip(gallery.views, ERRORS):
        assert view.crops.shape == (3, h, w, 3)
        moved = view.predicted - view.truth
        assert (np.abs(moved[:, 1:]) < 1e-6).all()
        assert (moved[:, 0, 0] > 0).all()
        number = list(ERRORS).index((w, h))
        crop = dataset[2][number]['inputs']
        assert (view.crops[2] == crop.numpy().transpose(1, 2, 0)[..., ::-1]
                ).all()


def test_every_image_is_loaded_once(tmp_path):
    CountedLoadImage.calls = 0
    evaluate(test_config(tmp_path, oracle()))
    assert CountedLoadImage.calls == 10


@pytest.mark.parametrize('size', [(16, 32), (48, 64), (64, 96)])
@pytest.mark.parametrize('raf', [True, False])
def test_equal_to_mmposes_loop_at_that_size(tmp_path, size, raf):
    metrics = [dict(type='PCKAccuracy', thr=.2), dict(type='AUC')]
    cfg = test_config(tmp_path / 'many',
                      toy_model(raf),
                      metrics,
                      input_sizes=[(48, 64), (64, 96), (16, 32)])
    cfg.model.test_cfg = dict(flip_test=True)
    cfg.model.backbone.init_cfg = None
    torch.manual_seed(0)
    runner = Runner.from_cfg(cfg)
    # Otherwise the scores of a new model are all but equal.
    with torch.no_grad():
        for weight in runner.model.head.parameters():
            weight.add_(torch.randn_like(weight))
    found = runner.test()

    single = test_config(tmp_path / 'one', toy_model(raf), metrics)
    single.model.test_cfg = dict(flip_test=True)
    single.test_cfg = dict()
    single.test_dataloader.dataset.pipeline = toy_pipeline(size, False)
    by_hand = Runner.from_cfg(single)
    by_hand.model.load_state_dict(runner.model.state_dict())
    for name, value in by_hand.test().items():
        assert found[f'{size[1]}x{size[0]}/{name}'] == pytest.approx(
            value, abs=1e-6)
        assert value > 0 or name == 'PCK'


# -- other views -------------------------------------------------------------


@pytest.mark.parametrize('use_udp', [True, False])
@pytest.mark.parametrize('mode', ['bicubic', 'bilinear'])
def test_upsampled_views_by_hand(tmp_path, mode, use_udp):
    """The crop at the low size, enlarged, is what the model gets."""
    cfg = test_config(tmp_path,
                      toy_model(),
                      input_sizes=[(16, 32), (48, 64)],
                      upsample_to=(48, 64),
                      upsample_mode=mode,
                      federated=False)
    cfg.test_dataloader.dataset.pipeline[2].use_udp = use_udp
    if not use_udp:
        cfg.model.head.decoder = dict(CODEC, type='MSRAHeatmap')
    cfg.model.test_cfg = dict(flip_test=False)
    runner = Runner.from_cfg(cfg)
    evaluation = runner.test_loop.evaluation
    assert [view.name for view in evaluation.views
            ] == ['32x16', '64x48', '32x16-upsampled-to-64x48']
    batches = next(iter(runner.test_loop.dataloader))
    assert len(batches) == 2  # the crop is shared with the plain view
    *_, shown = evaluation.step(batches)

    low = torch.stack(batches[0]['inputs']).float()
    enlarged = resize_by_hand(low, (48, 64), mode, use_udp)
    inside = torch.stack(shown.batch['inputs'])
    torch.testing.assert_close(inside,
                               enlarged.clamp(0, 255),
                               atol=2e-2,
                               rtol=1e-4)
    # Its prediction is where MMPose would put it: in the frame of the crop.
    sample = shown.predictions[0]
    assert sample.input_size == (48, 64)
    heatmaps = runner.model.head(
        runner.model.extract_feat(
            runner.model.data_preprocessor(
                dict(inputs=list(inside), data_samples=[]))['inputs']))
    keypoints = runner.model.head.decode(heatmaps)[0].keypoints
    frame = sample.input_scale
    np.testing.assert_allclose(sample.pred_instances.keypoints,
                               keypoints / (48, 64) * frame +
                               sample.input_center - frame / 2,
                               rtol=1e-5)


def resize_by_hand(images, size, mode, use_udp):
    """Values at x w / w' (UDP: x (w - 1) / (w' - 1)), axis by axis."""
    shift = int(use_udp)
    for axis, target in zip((3, 2), size):
        source = images.shape[axis]
        places = np.arange(target) * (source - shift) / (target - shift)
        pixels = np.floor(places).astype(int)
        shape = [1, 1, 1, 1]
        shape[axis] = target
        images = sum(
            images.index_select(
                axis, torch.from_numpy(np.clip(pixels + offset, 0, source - 1))
            ) * torch.from_numpy(
                KERNELS[mode](np.abs(places - pixels - offset))).view(shape)
            for offset in (-1, 0, 1, 2))
    return images.float()


def cubic(d, a=-.75):
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


KERNELS = dict(bilinear=lambda d: np.maximum(1 - d, 0), bicubic=cubic)


def test_captured_views(tmp_path):
    cfg = test_config(tmp_path,
                      oracle(),
                      input_sizes=[(16, 32), (48, 64)],
                      capture_sizes=[(16, 32)])
    runner, metrics = evaluate(cfg)
    # Not of the size of the capture itself: nothing would be enlarged.
    assert [view.name
            for view in runner.test_loop.evaluation.views[:3]] == [
                '32x16', '64x48', '64x48-captured-at-32x16'
            ]
    # The oracle does not look: keypoints are those of the original image.
    assert metrics['64x48-captured-at-32x16/EPE'] == pytest.approx(
        metrics['64x48/EPE'])
    result = DriftResult.load(tmp_path / 'drift.json')
    assert list(result.accuracy) == [(16, 32), (48, 64)]
    crops = runner.test_loop.evaluation.dataset[0]
    sharp, captured = (crops[i]['inputs'].float() for i in (1, 2))
    assert captured.std() < .8 * sharp.std()  # noise is averaged


def test_clients_that_capture_little(tmp_path):
    clients = [
        dict(name='high', input_size=(48, 64)),
        dict(name='old', input_size=(48, 64), capture_size=(16, 32))
    ]
    cfg = test_config(tmp_path,
                      oracle(),
                      clients=clients,
                      input_sizes=[(48, 64)])
    runner, metrics = evaluate(cfg)
    result = DriftResult.load(tmp_path / 'drift.json')
    assert [client.view.name for client in result.clients
            ] == ['64x48', '64x48-captured-at-32x16']
    assert '64x48-captured-at-32x16/PCK' in metrics


# -- in training, with other tools and metrics -------------------------------


def test_validation_is_followed_by_save_best(tmp_path):
    cfg = toy_config(tmp_path, rounds=2, val=True)
    cfg.val_evaluator = PCK
    cfg.val_cfg = dict(type='MultiResolutionValLoop',
                       input_sizes=[(16, 32), (48, 64), (64, 96)])
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook',
                                        interval=1,
                                        save_best=['unseen/worst', 'drift'],
                                        rule=['greater', 'less'])
    runner = run(cfg)
    names = {path.name.rsplit('_epoch')[0] for path in tmp_path.glob('best*')}
    assert names == {'best_unseen_worst', 'best_drift'}
    lines = next(tmp_path.glob('*/vis_data/scalars.json')).read_text()
    for key in ('96x64/PCK', 'trained/mean', 'unseen/worst', 'drift'):
        assert f'"{key}"' in lines
    assert not (tmp_path / 'drift.json').exists()  # of the test loop alone
    assert runner.message_hub.get_scalar('val/drift') is not None


def test_stock_cnn_of_mmpose(tmp_path):
    """A HeatmapHead, built for one size, is decoded at the others."""
    model = dict(
        type='TopdownPoseEstimator',
        data_preprocessor=toy_model()['data_preprocessor'],
        backbone=dict(type='ResNet', depth=18, out_indices=(3, )),
        head=dict(type='HeatmapHead',
                  in_channels=512,
                  out_channels=3,
                  deconv_out_channels=(8, 8, 8),
                  deconv_kernel_sizes=(4, 4, 4),
                  loss=dict(type='KeypointMSELoss'),
                  decoder=dict(CODEC)))
    sizes = [(32, 64), (96, 128)]
    cfg = test_config(tmp_path, model, input_sizes=sizes, federated=False)
    runner, _ = evaluate(cfg)
    result = DriftResult.load(tmp_path / 'drift.json')
    assert result.trained_sizes == [(48, 64)]  # the codec's
    assert result.clients == []
    assert 'decode' not in vars(runner.model.head)  # as it was
    for size in sizes:
        # MMPose with a model that was built for the size.
        single = test_config(tmp_path / 'one', model, federated=False)
        single.model.head.decoder = dict(CODEC,
                                         input_size=size,
                                         heatmap_size=(size[0] // 4,
                                                       size[1] // 4))
        single.test_cfg = dict()
        single.test_dataloader.dataset.pipeline = toy_pipeline(size, False)
        by_hand = Runner.from_cfg(single)
        by_hand.model.load_state_dict(runner.model.state_dict())
        assert result.accuracy[size] == pytest.approx(by_hand.test()['PCK'],
                                                      abs=.1)


def test_coco_metric_judges_a_client_on_its_persons_alone(tmp_path):
    names = ('high', 'low')
    cfg = test_config(tmp_path, oracle(), [dict(type='CocoMetric')],
                      clients=names)
    cfg.test_dataloader.dataset.update(type='SyntheticPoseDataset',
                                       num_samples=8,
                                       image_size=(60, 80))
    cfg.test_dataloader.dataset.pop('first')
    cfg.model.head.out_channels = 17
    cfg.model.errors = [(size, 0.) for size in ERRORS]
    _, metrics = evaluate(cfg)
    assert metrics['128x96/coco/AP'] == pytest.approx(1)
    assert metrics['trained/worst'] == pytest.approx(1)
    result = DriftResult.load(tmp_path / 'drift.json')
    # Persons of other clients must not count as missed.
    assert [client.metrics['coco/AP'] for client in result.clients
            ] == pytest.approx([1, 1])
    assert [client.num_samples for client in result.clients] == [4, 4]


def test_dumped_predictions_do_not_overwrite_each_other(tmp_path):
    dump = dict(type='DumpResults', out_file_path=str(tmp_path / 'out.pkl'))
    evaluate(test_config(tmp_path, oracle(), [*PCK, dump]))
    names = {path.name for path in tmp_path.glob('*.pkl')}
    assert {f'out.{h}x{w}.pkl' for w, h in ERRORS} <= names
    assert 'out.pkl' not in names


@pytest.mark.parametrize('loop, field', [
    (dict(input_sizes=[(48, 64), (50, 64)]), 'input_size'),
    (dict(input_sizes=[(48, 64), (56, 72)]), 'input_sizes'),
    (dict(input_sizes=[]), 'input_sizes'),
    (dict(input_sizes=(48, 64)), 'input_sizes'),
    (dict(input_sizes=[(48, 64), [48, 64]]), 'input_sizes'),
    (dict(capture_sizes=64), 'capture_sizes'),
    (dict(upsample_to=[(48, 64)]), 'upsample_to'),
    (dict(upsample_mode='nearest'), 'upsample_mode'),
])
def test_wrong_arguments_are_refused_before_any_image(tmp_path, loop, field):
    CountedLoadImage.calls = 0
    with pytest.raises(ConfigError) as error:
        evaluate(test_config(tmp_path, toy_model(), **loop))
    assert error.value.field == field
    assert CountedLoadImage.calls == 0


def test_an_unknown_key_metric_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='PCK, EPE'):
        evaluate(test_config(tmp_path, oracle(), key_metric='AP'))


def test_a_head_without_heatmaps_is_refused(tmp_path):
    model = toy_model(raf=False)
    model['neck'] = dict(type='GlobalAveragePooling')
    model['head'] = dict(type='RegressionHead',
                         in_channels=16,
                         num_joints=3,
                         decoder=dict(type='RegressionLabel',
                                      input_size=(48, 64)))
    with pytest.raises(ConfigError, match='RegressionLabel'):
        evaluate(test_config(tmp_path, model, federated=False))


def test_stock_vit_with_interpolated_position_embedding(
        tmp_path, mmpretrain_vit):
    """MMPose's ViTPose, as its configs describe it."""
    model = toy_model(raf=False)
    model['backbone'] = dict(type=mmpretrain_vit,
                             arch=dict(embed_dims=16,
                                       num_layers=2,
                                       num_heads=2,
                                       feedforward_channels=32),
                             img_size=(64, 48),
                             patch_size=16,
                             with_cls_token=False,
                             out_type='featmap',
                             patch_cfg=dict(padding=2))
    sizes = [(16, 32), (48, 64), (96, 128)]
    _, metrics = evaluate(
        test_config(tmp_path, model, input_sizes=sizes, federated=False))
    result = DriftResult.load(tmp_path / 'drift.json')
    assert list(result.accuracy) == sizes
    assert all(0 <= value <= 1 for value in result.accuracy.values())
    assert all(found.ceiling['PCK'] == 1 for found in result.views)
    # 48 patches against 2.
    low, _, high = (found.gflops for found in result.views)
    assert high == pytest.approx(24 * low, rel=.2)
    assert 'drift' in metrics
