import pytest
from mmpose.codecs import (MSRAHeatmap, RegressionLabel, SimCCLabel,
                           UDPHeatmap)

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.codecs import (blur_kernel_of, check_codec,
                                      is_udp, resize_codec)

UDP = UDPHeatmap((192, 256), (48, 64), sigma=2)
MSRA = MSRAHeatmap((192, 256), (48, 64), sigma=2, unbiased=True)


@pytest.mark.parametrize('codec', [UDP, MSRA])
@pytest.mark.parametrize('mode, size, heatmap_size, sigma, kernel', [
    ('pixel', (192, 256), (48, 64), 2, 11),
    ('pixel', (144, 192), (36, 48), 2, 11),
    ('pixel', (48, 64), (12, 16), 2, 11),
    ('relative', (192, 256), (48, 64), 2, 11),
    ('relative', (144, 192), (36, 48), 1.5, 7),
    ('relative', (96, 128), (24, 32), 1, 5),
    ('relative', (288, 384), (72, 96), 3, 17),
    ('relative', (256, 192), (64, 48), 1.5, 7),
])
def test_sizes_sigma_and_kernel_follow_the_input(codec, mode, size,
                                                 heatmap_size, sigma, kernel):
    resized = resize_codec(codec, size, mode)
    assert type(resized) is type(codec)
    assert resized is not codec
    assert resized.input_size == size
    assert resized.heatmap_size == heatmap_size
    assert resized.sigma == pytest.approx(sigma)
    assert resized.blur_kernel_size == kernel


@pytest.mark.parametrize('mode', ['pixel', 'relative'])
@pytest.mark.parametrize('unbiased', [False, True])
def test_own_size_gives_the_same_codec(mode, unbiased):
    # A kernel that does not follow from sigma stays at the codec's own size.
    codec = MSRAHeatmap((192, 256), (48, 64),
                        sigma=3,
                        blur_kernel_size=5,
                        unbiased=unbiased)
    resized = resize_codec(codec, [192, 256], mode)
    same = {k: v for k, v in vars(codec).items() if k != 'scale_factor'}
    assert {
        k: v
        for k, v in vars(resized).items() if k != 'scale_factor'
    } == same
    assert resized.scale_factor.tolist() == codec.scale_factor.tolist()


@pytest.mark.parametrize('size', [(98, 128), (96, 130), (0, 128), (-96, 128)])
def test_sizes_without_whole_heatmaps_are_refused(size):
    with pytest.raises(ConfigError, match='input_size') as error:
        resize_codec(UDP, size, 'pixel')
    assert str(size) in str(error.value)
    assert '(192, 256) to (48, 64)' in str(error.value)


@pytest.mark.parametrize('codec', [
    UDPHeatmap((192, 256), (48, 64), heatmap_type='combined'),
    SimCCLabel((192, 256)),
    RegressionLabel((192, 256)),
    None,
])
def test_other_codecs_are_refused(codec):
    message = f'model.head.decoder: got {type(codec).__name__}'
    with pytest.raises(ConfigError, match=message):
        check_codec(codec, 'model.head.decoder')
    with pytest.raises(ConfigError, match=type(codec).__name__):
        resize_codec(codec, (96, 128), 'pixel')


def test_a_blur_without_a_middle_is_refused():
    codec = UDPHeatmap((192, 256), (48, 64), sigma=2, blur_kernel_size=10)
    with pytest.raises(ConfigError, match='blur_kernel_size: got 10; use an'):
        check_codec(codec, 'model.head.decoder')


def test_gaussian_codecs_are_accepted():
    assert check_codec(UDP) is UDP and is_udp(UDP)
    assert check_codec(MSRA) is MSRA and not is_udp(MSRA)


def test_unknown_sigma_mode_is_refused():
    with pytest.raises(ConfigError, match="'absolute'; use one of pixel, rel"):
        resize_codec(UDP, (96, 128), 'absolute')


@pytest.mark.parametrize('sigma, kernel', [(3, 17), (2, 11), (1.5, 7), (1, 5),
                                           (.5, 3), (.01, 3)])
def test_blur_kernel_is_that_of_mmposes_rule(sigma, kernel):
    assert blur_kernel_of(sigma) == kernel


@pytest.mark.parametrize('kernel', range(3, 32, 2))
def test_blur_kernel_inverts_opencvs_rule(kernel):
    sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
    # 0.02: not on the edge between two kernels
    assert blur_kernel_of(sigma + .02) == kernel
