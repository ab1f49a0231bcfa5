"""The time that a set of experiments will still take."""

import pytest

from mmpose_raf.experiments import TimeLeft


class Clock:
    """A clock that is set by hand."""

    now = 100.

    def __call__(self):
        return self.now


def test_rounds_of_two_experiments_at_once():
    clock = Clock()
    left = TimeLeft(dict(a=4, b=4), clock)
    left.note('a', 4, is_new=False)
    assert left.seconds is None and left.describe() == ''
    clock.now += 10
    left.note('a', 3, is_new=True)
    left.note('b', 3, is_new=True)
    # 2 rounds in 10 s, 6 are left.
    assert left.seconds == pytest.approx(30)
    assert left.describe() == 'less than a minute left'


def test_what_was_done_before_tells_nothing_of_the_pace():
    clock = Clock()
    left = TimeLeft(dict(done=100, resumed=100), clock)
    left.note('done', 0, is_new=False)
    left.note('resumed', 50, is_new=False)
    clock.now += 60
    left.note('resumed', 49, is_new=True)
    assert left.seconds == pytest.approx(49 * 60)
    assert left.describe() == 'about 49 min left'


@pytest.mark.parametrize('rounds, words', [(2, 'about 1 min left'),
                                           (181, 'about 3 h left')])
def test_words(rounds, words):
    clock = Clock()
    left = TimeLeft(dict(a=rounds), clock)
    clock.now += 60
    left.note('a', rounds - 1, is_new=True)
    assert left.describe() == words
