"""A client's pipeline is a stock pipeline at the client's size."""

import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DATASETS, TRANSFORMS

from mmpose_raf.datasets import CapturedTopdownAffine
from mmpose_raf.datasets.resized_pipeline import retarget_pipeline
from mmpose_raf.datasets.seeding import seeded
from mmpose_raf.errors import ConfigError
from tests.toy import CODEC, SIZES, toy_dataset, toy_pipeline

UDP = dict(type='UDPHeatmap',
           input_size=(48, 64),
           heatmap_size=(12, 16),
           sigma=2)
MSRA = dict(type='MSRAHeatmap',
            input_size=(48, 64),
            heatmap_size=(12, 16),
            sigma=2)


def build(pipeline):
    return Compose(pipeline)


def assert_same_output(first, second):
    """Images, targets and annotations of two pipelines are equal."""
    assert np.array_equal(first['inputs'], second['inputs'])
    one, two = first['data_samples'], second['data_samples']
    for name in ('gt_fields', 'gt_instances', 'gt_instance_labels'):
        assert (name in one) == (name in two), name
        if name not in one:
            continue
        fields = dict(getattr(one, name).items())
        others = dict(getattr(two, name).items())
        assert set(fields) == set(others)
        for key in fields:
            assert np.array_equal(fields[key], others[key]), key
    assert one.metainfo.keys() == two.metainfo.keys()
    assert one.metainfo['input_size'] == two.metainfo['input_size']


# The codec that one would write by hand at each client's size. Sigma 2 at the
# height of 64 is 1.5 at 48 and 1 at 32 in the image's measure; the kernels are
# what OpenCV recommends for them.
@pytest.mark.parametrize('codec, size, sigma_mode, by_hand', [
    (UDP, (32, 48), 'pixel', dict(heatmap_size=(8, 12))),
    (UDP, (32, 48), 'relative',
     dict(heatmap_size=(8, 12), sigma=1.5, blur_kernel_size=7)),
    (UDP, (16, 32), 'relative',
     dict(heatmap_size=(4, 8), sigma=1., blur_kernel_size=5)),
    (UDP, (96, 128), 'pixel', dict(heatmap_size=(24, 32))),
    (UDP, (48, 64), 'relative', dict()),
    (MSRA, (32, 48), 'pixel', dict(heatmap_size=(8, 12))),
    (MSRA, (16, 32), 'relative',
     dict(heatmap_size=(4, 8), sigma=1., blur_kernel_size=5)),
])
@pytest.mark.parametrize('augmented', [False, True])
def test_equals_a_stock_pipeline(codec, size, sigma_mode, by_hand, augmented):
    dataset = DATASETS.build(
        toy_dataset(5, augmented=augmented, codec=dict(codec)))
    retargeted = Compose(
        retarget_pipeline(dataset.pipeline.transforms, size, sigma_mode))
    stock = build(
        toy_pipeline(size, augmented, dict(codec, input_size=size, **by_hand)))
    for index in range(5):
        outputs = []
        for pipeline in (retargeted, stock):
            with seeded(index):
                outputs.append(pipeline(dataset.get_data_info(index)))
        assert outputs[0]['inputs'].shape == (3, size[1], size[0])
        heatmaps = outputs[0]['data_samples'].gt_fields.heatmaps
        assert heatmaps.shape[1:] == (size[1] // 4, size[0] // 4)
        assert_same_output(*outputs)


@pytest.mark.parametrize('use_udp', [False, True])
def test_other_settings_are_kept(use_udp):
    config = toy_pipeline(augmented=False)
    for step in config:
        if step['type'] == 'TopdownAffine':
            step.update(use_udp=use_udp, input_padding=1.5)
            del step['input_padding']
        elif step['type'] == 'GetBBoxCenterScale':
            step['padding'] = 1.6
    dataset = DATASETS.build(
        dict(type='ToyDataset', num_samples=2, pipeline=config))
    retargeted = Compose(
        retarget_pipeline(dataset.pipeline.transforms, (32, 48), 'pixel'))
    for step in config:
        if step['type'] == 'TopdownAffine':
            step['input_size'] = (32, 48)
    stock = build(config)
    assert_same_output(retargeted(dataset.get_data_info(0)),
                       stock(dataset.get_data_info(0)))


def test_the_keypoints_of_the_crop_are_packed():
    """The ladder makes its targets of them, whatever the config says."""
    config = toy_pipeline(augmented=False)
    config[-1] = dict(type='PackPoseInputs')
    dataset = DATASETS.build(
        dict(type='ToyDataset', num_samples=1, pipeline=config))
    retargeted = Compose(
        retarget_pipeline(dataset.pipeline.transforms, (16, 32), 'pixel'))
    sample = retargeted(dataset.get_data_info(0))['data_samples']
    keypoints = sample.gt_instances.transformed_keypoints
    assert keypoints.shape == (1, 3, 2)
    # The toy's keypoints lie within the box, thus within the crop.
    assert (keypoints >= 0).all() and (keypoints <= (15, 31)).all()


def test_the_original_is_left_alone():
    dataset = DATASETS.build(toy_dataset(1, codec=dict(CODEC)))
    before = [dict(vars(step)) for step in dataset.pipeline.transforms]
    for size in SIZES.values():
        retarget_pipeline(dataset.pipeline.transforms, size, 'relative')
    assert [vars(step) for step in dataset.pipeline.transforms] == before


def _transforms(*configs):
    return [TRANSFORMS.build(config) for config in configs]


@pytest.mark.parametrize('configs, size, field, fragment', [
    ([dict(type='LoadImage'),
      dict(type='PackPoseInputs')],
     (32, 48), 'train_dataloader.dataset.pipeline', 'no TopdownAffine'),
    ([
        dict(type='TopdownAffine', input_size=(48, 64)),
        dict(type='GenerateTarget', encoder=[UDP, UDP], multilevel=True)
    ], (32, 48), 'GenerateTarget.encoder', 'several'),
    ([
        dict(type='TopdownAffine', input_size=(48, 64)),
        dict(type='GenerateTarget',
             encoder=dict(type='SimCCLabel', input_size=(48, 64), sigma=6.))
    ], (32, 48), 'codec', 'SimCCLabel'),
    ([
        dict(type='TopdownAffine', input_size=(48, 64)),
        dict(type='GenerateTarget', encoder=UDP)
    ], (34, 48), 'input_size', '(34, 48)'),
])
def test_pipelines_that_cannot_be_resized_are_refused(configs, size, field,
                                                      fragment):
    with pytest.raises(ConfigError) as error:
        retarget_pipeline(_transforms(*configs), size, 'pixel')
    assert error.value.field.endswith(field)
    assert fragment in str(error.value)


def test_an_unknown_sigma_mode_is_refused():
    dataset = DATASETS.build(toy_dataset(1, codec=dict(CODEC)))
    with pytest.raises(ConfigError, match='sigma_mode'):
        retarget_pipeline(dataset.pipeline.transforms, (32, 48), 'pixels')


@pytest.mark.parametrize('use_udp', [True, False])
def test_a_small_camera_replaces_the_crop_alone(use_udp):
    config = toy_pipeline(augmented=False)
    config[2]['use_udp'] = use_udp
    pipeline = build(config)
    steps = retarget_pipeline(pipeline.transforms, SIZES['mid'], 'pixel',
                              (12, 16))
    crop = steps[2]
    assert isinstance(crop, CapturedTopdownAffine)
    assert crop.capture_size == (12, 16)
    assert crop.input_size == SIZES['mid']
    assert crop.use_udp == use_udp
    assert [type(step) for step in steps[:2] + steps[3:]] == [
        type(step)
        for step in pipeline.transforms[:2] + pipeline.transforms[3:]
    ]
    # The pipeline itself is as it was.
    assert type(pipeline.transforms[2]).__name__ == 'TopdownAffine'


@pytest.mark.parametrize('codec', [
    dict(type='SimCCLabel', input_size=(48, 64)),
    dict(type='RegressionLabel', input_size=(48, 64)),
    dict(type='IntegralRegressionLabel',
         input_size=(48, 64),
         heatmap_size=(12, 16),
         sigma=2.),
])
def test_other_codecs_at_their_own_size_alone(codec):
    dataset = DATASETS.build(toy_dataset(1, codec=codec))
    steps = dataset.pipeline.transforms
    encoder, = (step.encoder
                for step in retarget_pipeline(steps, (48, 64), 'pixel')
                if hasattr(step, 'encoder'))
    assert type(encoder).__name__ == codec['type']
    with pytest.raises(ConfigError, match=codec['type']):
        retarget_pipeline(steps, (32, 48), 'pixel')
