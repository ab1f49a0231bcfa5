import pytest
import torch

from mmpose_raf.errors import ConfigError
from mmpose_raf.sizes import is_size, parse_size, size_name, size_of


def test_sizes_are_read_as_they_are_written():
    assert size_name((48, 64)) == '64x48'
    assert parse_size('64x48', 'field') == (48, 64)


@pytest.mark.parametrize('text', [
    '64', '64x', 'x48', '64x0', '-64x48', '64X48', '64x48x3', '6.4x48', ''
])
def test_other_sizes_are_refused(text):
    with pytest.raises(ConfigError, match='as HxW') as error:
        parse_size(text, '--input-sizes')
    assert error.value.field == '--input-sizes'


def test_the_size_of_maps_is_width_and_height():
    assert size_of(torch.zeros(2, 3, 64, 48)) == (48, 64)


@pytest.mark.parametrize('value, expected', [
    ((48, 64), True), ([48, 64], True), ((48, ), False), ((48, 64, 3), False),
    ((48, 0), False), ((48, 64.), False), ('48', False), (None, False),
    ((True, True), False), ((65535, 1), True), ((65536, 1), False),
    ((-48, 64), False),
])  # yapf: disable
def test_a_size_is_two_positive_integers(value, expected):
    assert is_size(value) is expected
