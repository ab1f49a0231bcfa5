import copy
import pickle

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.codecs import UDPHeatmap
from mmpose.models.heads import HeatmapHead
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample

from mmpose_raf.errors import ConfigError
from mmpose_raf.models import AnyResolutionHeatmapHead

NUM_KEYPOINTS = 4


def decoder(size=(96, 128), sigma=2., kernel=11, udp=True):
    return dict(
        type='UDPHeatmap' if udp else 'MSRAHeatmap',
        input_size=size,
        heatmap_size=(size[0] // 4, size[1] // 4),
        sigma=sigma,
        blur_kernel_size=kernel,
        **dict() if udp else dict(unbiased=True))


def heads():
    """MMPose's head and ours with the same weights."""
    both = [
        cls(in_channels=8,
            out_channels=NUM_KEYPOINTS,
            deconv_out_channels=(8, 8),
            deconv_kernel_sizes=(4, 4),
            decoder=decoder()).eval()
        for cls in (HeatmapHead, AnyResolutionHeatmapHead)
    ]
    for parameter in both[0].parameters():
        torch.nn.init.normal_(parameter, std=.2)
    both[1].load_state_dict(both[0].state_dict())
    return both


def bare_heads(theirs=dict(), ours=dict()):
    """MMPose's head and ours without layers: features are heatmaps."""
    return [
        cls(in_channels=NUM_KEYPOINTS,
            out_channels=NUM_KEYPOINTS,
            deconv_out_channels=None,
            deconv_kernel_sizes=None,
            final_layer=None,
            **{
                'decoder': decoder(),
                **options
            }) for cls, options in ((HeatmapHead, theirs),
                                    (AnyResolutionHeatmapHead, ours))
    ]


def heatmaps_of(size, batch=3, low=.4, high=.6):
    """Noisy Gaussians in the middle of heatmaps (w, h)."""
    generator = torch.Generator().manual_seed(3)
    codec = UDPHeatmap(size, size, sigma=2)
    middle = np.array(size) - 1
    maps = []
    for _ in range(batch):
        share = torch.rand(1, NUM_KEYPOINTS, 2, generator=generator).numpy()
        keypoints = (low + (high - low) * share) * middle
        maps.append(torch.from_numpy(codec.encode(keypoints)['heatmaps']))
    maps = torch.stack(maps)
    return maps + .02 * torch.randn(maps.shape, generator=generator)


def assert_same_instances(ours, theirs):
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs):
        assert set(our.keys()) == set(their.keys())
        for key in ('keypoints', 'keypoint_scores'):
            assert our[key].shape == their[key].shape
            np.testing.assert_allclose(our[key], their[key], atol=1e-4)


# -- at the decoder's own size -----------------------------------------------


@pytest.mark.parametrize('mode', ['pixel', 'relative'])
@pytest.mark.parametrize('udp', [False, True])
def test_decode_is_mmposes(mode, udp):
    theirs, ours = bare_heads(
        theirs=dict(decoder=decoder(udp=udp)),
        ours=dict(decoder=decoder(udp=udp), sigma_mode=mode))
    heatmaps = heatmaps_of((24, 32))
    assert_same_instances(ours.decode(heatmaps), theirs.decode(heatmaps))


def test_forward_and_loss_are_mmposes():
    theirs, ours = heads()
    features = (torch.randn(2, 8, 8, 6), )
    samples = []
    for heatmaps in heatmaps_of((24, 32), batch=2):
        sample = PoseDataSample()
        sample.gt_fields = PixelData(heatmaps=heatmaps)
        sample.gt_instance_labels = InstanceData(
            keypoint_weights=torch.rand(1, NUM_KEYPOINTS))
        samples.append(sample)
    torch.testing.assert_close(ours(features), theirs(features))
    expected = theirs.loss(features, samples)
    losses = ours.loss(features, samples)
    assert set(losses) == {'loss_kpt', 'acc_pose'}
    assert losses['loss_kpt'] == expected['loss_kpt'] > 0
    assert losses['acc_pose'] == expected['acc_pose']


@pytest.mark.parametrize('flip_test', [False, True])
@pytest.mark.parametrize('size', [(96, 128), (144, 192)])
def test_predict_is_mmposes(flip_test, size):
    theirs, ours = bare_heads(theirs=dict(decoder=decoder(size)))
    heatmaps = heatmaps_of((size[0] // 4, size[1] // 4))
    features = (heatmaps, )
    if flip_test:
        flipped = heatmaps[:, [1, 0, 3, 2]].flip(-1)
        flipped = flipped + .05 * torch.rand(flipped.shape)
        features = [(heatmaps, ), (flipped, )]
    sample = PoseDataSample(metainfo=dict(flip_indices=[1, 0, 3, 2]))
    test_cfg = dict(
        flip_test=flip_test, flip_mode='heatmap', output_heatmaps=True)
    predictions, fields = ours.predict(features, [sample] * 3, test_cfg)
    expected, expected_fields = theirs.predict(features, [sample] * 3,
                                               test_cfg)
    assert_same_instances(predictions, expected)
    for field, expected_field in zip(fields, expected_fields):
        assert torch.equal(field.heatmaps, expected_field.heatmaps)


# -- at other sizes ----------------------------------------------------------


@pytest.mark.parametrize('size', [(192, 256), (144, 192), (128, 96)])
@pytest.mark.parametrize('mode', ['pixel', 'relative'])
@pytest.mark.parametrize('udp', [False, True])
def test_decode_is_that_of_a_head_for_this_size(size, mode, udp):
    sigma, kernel = 2, 11
    if mode == 'relative':  # after the height, from 128
        sigma, kernel = {256: (4, 25), 192: (3, 17), 96: (1.5, 7)}[size[1]]
    theirs, ours = bare_heads(
        theirs=dict(decoder=decoder(size, sigma, kernel, udp)),
        ours=dict(decoder=decoder(udp=udp), sigma_mode=mode))
    heatmaps = heatmaps_of((size[0] // 4, size[1] // 4), low=.49, high=.51)
    predictions = ours.decode(heatmaps)
    assert_same_instances(predictions, theirs.decode(heatmaps))
    keypoints = np.stack([p.keypoints[0] for p in predictions])
    assert abs(keypoints / size - .5).max() < .03


def test_sizes_may_alternate():
    theirs, ours = bare_heads()
    for size in ((24, 32), (36, 48), (24, 32), (48, 64)):
        heatmaps = heatmaps_of(size)
        keypoints = ours.decode(heatmaps)[0].keypoints
        expected = UDPHeatmap((4 * size[0], 4 * size[1]), size,
                              sigma=2).decode(heatmaps[0].numpy())[0]
        np.testing.assert_allclose(keypoints, expected, atol=1e-4)
    assert ours.decoder.input_size == (96, 128)


def test_a_keypoint_at_the_border_is_found():
    _, ours = bare_heads()
    codec = UDPHeatmap((48, 64), (12, 16), sigma=2)
    keypoints = np.array([[[0., 0.], [47., 63.], [1., 30.], [24., 62.]]])
    heatmaps = torch.from_numpy(codec.encode(keypoints)['heatmaps'])[None]
    decoded = ours.decode(heatmaps)[0].keypoints / [48, 64] * [47, 63]
    np.testing.assert_allclose(decoded, keypoints, atol=.05)


def test_bfloat16_and_gradients_do_not_disturb():
    _, ours = bare_heads()
    heatmaps = heatmaps_of((24, 32))
    expected = ours.decode(heatmaps)
    assert_same_instances(ours.decode(heatmaps.requires_grad_()), expected)
    for rough, exact in zip(
            ours.decode(heatmaps.detach().bfloat16()), expected):
        assert abs(rough.keypoints - exact.keypoints).max() < 4


def test_heatmaps_that_are_no_whole_multiple_are_refused():
    _, ours = bare_heads(
        ours=dict(
            decoder=dict(
                type='UDPHeatmap',
                input_size=(96, 128),
                heatmap_size=(36, 48),
                sigma=2)))
    with pytest.raises(ConfigError, match='no whole heatmap'):
        ours.decode(torch.rand(1, NUM_KEYPOINTS, 10, 10))


# -- checkpoints and configs -------------------------------------------------


def test_checkpoints_interchange():
    theirs, ours = heads()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=.3)
    theirs.load_state_dict(ours.state_dict())
    features = (torch.randn(1, 8, 4, 4), )
    assert torch.equal(theirs(features), ours(features))


@pytest.mark.parametrize(
    'copied', [copy.deepcopy, lambda head: pickle.loads(pickle.dumps(head))],
    ids=['deepcopy', 'pickle'])
def test_a_copy_decodes_alike(copied):
    _, ours = bare_heads(ours=dict(sigma_mode='relative'))
    heatmaps = heatmaps_of((36, 48))
    expected = ours.decode(heatmaps)
    assert_same_instances(copied(ours).decode(heatmaps), expected)


def test_it_is_registered():
    head = MODELS.build(
        dict(
            type='AnyResolutionHeatmapHead',
            in_channels=8,
            out_channels=4,
            decoder=decoder()))
    assert isinstance(head, AnyResolutionHeatmapHead)
    assert head.sigma_mode == 'pixel'


@pytest.mark.parametrize('options, field', [
    (dict(sigma_mode='image'), 'model.head.sigma_mode'),
    (dict(decoder=None), 'model.head.decoder'),
    (dict(decoder=dict(type='SimCCLabel', input_size=(96, 128))),
     'model.head.decoder'),
])
def test_wrong_arguments_are_refused(options, field):
    with pytest.raises(ConfigError) as error:
        AnyResolutionHeatmapHead(
            in_channels=8, out_channels=4, **{
                'decoder': decoder(),
                **options
            })
    assert error.value.field == field
