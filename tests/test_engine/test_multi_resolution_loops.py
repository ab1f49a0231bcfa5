"""Loops over many resolutions: every number is known in advance."""

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch.utils.data import DataLoader

from mmpose_raf.engine.federation_settings import FederationSettings
from mmpose_raf.engine import MultiResolutionTestLoop
from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation import DriftGallery, DriftResult
from tests.shared_data import shared_data
from tests.test_engine.many_sizes import (ERRORS, PCK, CountedLoadImage,
                                          box_side, evaluate,
                                          evaluation_config, mean_side,
                                          oracle)
from tests.toy import (CODEC, SIZES, run, toy_config, toy_model,
                       toy_pipeline)


@pytest.fixture(scope='module')
def judged(tmp_path_factory):
    """An oracle that has been tested, with federation."""
    work_dir = tmp_path_factory.mktemp('judged')
    return evaluate(evaluation_config(work_dir, oracle(), num_persons=3))


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
        evaluation_config(tmp_path, oracle(), key_metric='EPE',
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
    settings = FederationSettings.of_config(runner.cfg)
    dataset = runner.test_loop.evaluation.dataset.dataset
    indices = settings.build_partitioner().partition(
        dataset, settings.clients, settings.seed)
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
    evaluate(evaluation_config(tmp_path, oracle()))
    assert CountedLoadImage.calls == 10


@pytest.mark.parametrize('size', [(16, 32), (48, 64), (64, 96)])
@pytest.mark.parametrize('raf', [True, False])
def test_equal_to_mmposes_loop_at_that_size(tmp_path, size, raf):
    metrics = [dict(type='PCKAccuracy', thr=.2), dict(type='AUC')]
    cfg = evaluation_config(tmp_path / 'many',
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

    single = evaluation_config(tmp_path / 'one', toy_model(raf), metrics)
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
    cfg = evaluation_config(tmp_path,
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
    cfg = evaluation_config(tmp_path,
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
    cfg = evaluation_config(tmp_path,
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
    cfg = evaluation_config(tmp_path,
                            model,
                            input_sizes=sizes,
                            federated=False)
    runner, _ = evaluate(cfg)
    result = DriftResult.load(tmp_path / 'drift.json')
    assert result.trained_sizes == [(48, 64)]  # the codec's
    assert result.clients == []
    assert 'decode' not in vars(runner.model.head)  # as it was
    for size in sizes:
        # MMPose with a model that was built for the size.
        single = evaluation_config(tmp_path / 'one', model, federated=False)
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
    cfg = evaluation_config(tmp_path, oracle(), [dict(type='CocoMetric')],
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
    evaluate(evaluation_config(tmp_path, oracle(), [*PCK, dump]))
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
        evaluate(evaluation_config(tmp_path, toy_model(), **loop))
    assert error.value.field == field
    assert CountedLoadImage.calls == 0


def test_an_unknown_key_metric_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='PCK, EPE'):
        evaluate(evaluation_config(tmp_path, oracle(), key_metric='AP'))


def test_a_head_without_heatmaps_is_refused(tmp_path):
    model = toy_model(raf=False)
    model['neck'] = dict(type='GlobalAveragePooling')
    model['head'] = dict(type='RegressionHead',
                         in_channels=16,
                         num_joints=3,
                         decoder=dict(type='RegressionLabel',
                                      input_size=(48, 64)))
    with pytest.raises(ConfigError, match='RegressionLabel'):
        evaluate(evaluation_config(tmp_path, model, federated=False))


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
        evaluation_config(tmp_path, model, input_sizes=sizes, federated=False))
    result = DriftResult.load(tmp_path / 'drift.json')
    assert list(result.accuracy) == sizes
    assert all(0 <= value <= 1 for value in result.accuracy.values())
    assert all(found.ceiling['PCK'] == 1 for found in result.views)
    # 48 patches against 2.
    low, _, high = (found.gflops for found in result.views)
    assert high == pytest.approx(24 * low, rel=.2)
    assert 'drift' in metrics


@pytest.mark.parametrize('size', [(36, 48), (100, 128)])
def test_a_cnn_that_rounds_its_feature_maps_up_is_refused(tmp_path, size):
    """Its heatmaps would show more than the crop."""
    model = dict(
        type='TopdownPoseEstimator',
        backbone=dict(type='ResNet', depth=18),
        head=dict(type='HeatmapHead',
                  in_channels=512,
                  out_channels=3,
                  deconv_out_channels=(8, 8, 8),
                  deconv_kernel_sizes=(4, 4, 4),
                  decoder=dict(CODEC)))
    with pytest.raises(ConfigError, match='makes a heatmap') as error:
        evaluate(
            evaluation_config(tmp_path,
                              model,
                              input_sizes=[size],
                              federated=False))
    assert error.value.field == 'input_sizes'


@pytest.mark.parametrize('upward', [False, True])
def test_trained_sizes_of_a_federation(tmp_path, upward):
    cfg = evaluation_config(tmp_path, clients=('low', ))
    cfg.model.update(upward=upward)
    loop = Runner.from_cfg(cfg).test_loop
    expected = set(SIZES.values()) if upward else {SIZES['low']}
    assert set(loop.evaluation.trained_sizes) == expected


def test_trained_sizes_without_a_federation(tmp_path):
    cfg = evaluation_config(tmp_path, federated=False)
    cfg.model.ladder = [SIZES['low']]
    loop = Runner.from_cfg(cfg).test_loop
    assert loop.evaluation.trained_sizes == [SIZES['high'], SIZES['low']]


def test_sizes_of_the_clients_are_not_summarised(tmp_path):
    cfg = evaluation_config(tmp_path, oracle(), input_sizes=[(96, 128)])
    _, metrics = evaluate(cfg)
    assert metrics['64x48/PCK'] == pytest.approx(1)
    assert metrics['drift'] == 0
    assert 'trained/mean' not in metrics
    result = DriftResult.load(tmp_path / 'drift.json')
    assert list(result.accuracy) == [(96, 128)]
    assert [client.name for client in result.clients] == ['high', 'low']


def test_metrics_of_parts_are_kept_apart(tmp_path):
    """KeypointPartitionMetric holds metrics with results of their own."""
    metric = dict(type='KeypointPartitionMetric',
                  metric=dict(type='EPE'),
                  partitions=dict(first=[0], others=[1, 2]))
    runner, metrics = evaluate(
        evaluation_config(tmp_path, oracle(), metric,
                          key_metric='first/EPE'))
    for size, error in ERRORS.items():
        name = f'{size[1]}x{size[0]}'
        assert metrics[f'{name}/first/EPE'] == pytest.approx(
            error * mean_side(runner), rel=1e-5)
        assert metrics[f'{name}/others/EPE'] == pytest.approx(0, abs=1e-5)


def test_boxes_of_a_detector(tmp_path):
    """They come without keypoints: nothing is computed from zeros."""
    root = shared_data('coco_mini')
    annotations = str(root / 'annotations/person_keypoints_val2017.json')
    cfg = evaluation_config(tmp_path, oracle(),
                            dict(type='CocoMetric', ann_file=annotations))
    cfg.model.head.out_channels = 17
    dataset = cfg.test_dataloader.dataset
    dataset.update(
        type='CocoDataset',
        data_root=str(root),
        ann_file='annotations/person_keypoints_val2017.json',
        data_prefix=dict(img='val2017/'),
        bbox_file=str(root / 'person_detection_results/'
                      'COCO_val2017_detections_AP_H_56_person.json'),
        indices=6)
    for key in ('first', 'num_samples'):
        dataset.pop(key)
    _, metrics = evaluate(cfg)
    assert '64x48/coco/AP' in metrics
    result = DriftResult.load(tmp_path / 'drift.json')
    for found in result.views:
        assert found.ceiling == {}
        assert found.keypoint_accuracy == [None] * 17
    assert result.clients == []


@pytest.mark.parametrize('loop, field', [
    (dict(trained_sizes=(48, 64)), 'trained_sizes'),
    (dict(num_persons=0), 'num_persons'),
    (dict(keypoint_threshold=0), 'keypoint_threshold'),
])
def test_other_wrong_arguments(tmp_path, loop, field):
    with pytest.raises(ConfigError) as error:
        Runner.from_cfg(evaluation_config(tmp_path, **loop)).test_loop
    assert error.value.field == field


def test_a_loader_with_a_batch_sampler_is_refused(tmp_path):
    runner = Runner.from_cfg(evaluation_config(tmp_path))
    dataset = DATASETS.build(runner._test_dataloader['dataset'])
    loader = DataLoader(dataset, batch_sampler=[[0, 1], [2]])
    with pytest.raises(ConfigError, match='test_dataloader.batch_sampler'):
        MultiResolutionTestLoop(runner, loader, PCK, [(48, 64)])
