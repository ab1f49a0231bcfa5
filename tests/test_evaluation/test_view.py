"""How a person is shown."""

import pytest

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation import View, list_views

LOW, MID, HIGH = (48, 64), (96, 128), (192, 256)


def test_views_have_names_and_model_sizes():
    assert View(LOW).name == '64x48'
    assert View(MID, capture_size=LOW).name == '128x96-captured-at-64x48'
    assert View(LOW, upsample_to=MID).name == '64x48-upsampled-to-128x96'
    assert View(LOW).model_size == View(LOW, LOW).model_size == LOW
    assert View(LOW, upsample_to=MID).model_size == MID
    assert [View(LOW).is_plain, View(MID, LOW).is_plain,
            View(LOW, upsample_to=MID).is_plain] == [True, False, False]


def test_only_what_makes_sense_is_shown():
    """Captures below the input's size, enlargements of smaller inputs."""
    views = list_views([HIGH, LOW, MID], [MID, [48, 64]], MID)
    assert views == [
        View(HIGH), View(LOW), View(MID),
        View(HIGH, MID),
        View(HIGH, LOW), View(MID, LOW),
        View(LOW, upsample_to=MID)
    ]


@pytest.mark.parametrize('captured, target, field', [
    ([MID], None, 'capture_sizes'),
    ([], LOW, 'upsample_to'),
    ([], (48, 128), 'upsample_to'),  # higher, but narrower
])
def test_views_that_nobody_would_see_are_refused(captured, target, field):
    with pytest.raises(ConfigError, match='none of input_sizes') as error:
        list_views([(64, 64)], captured, target)
    assert error.value.field == field
