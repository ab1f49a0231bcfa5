"""A few seconds of what ``make fuzz`` does for long."""

import pytest

from tests.fuzz.cases import Fuzzer

COUNTS = dict(config=12, annotations=60, checkpoint=200)


@pytest.fixture(scope='module')
def fuzzer(tmp_path_factory):
    return Fuzzer(tmp_path_factory.mktemp('fuzz'))


@pytest.mark.parametrize('kind', COUNTS)
def test_no_bug(fuzzer, kind):
    outcomes = [fuzzer.run(kind, number) for number in range(COUNTS[kind])]
    assert [outcome for outcome in outcomes if outcome.result == 'bug'] == []
    # The changes are neither all fatal nor all harmless.
    assert {outcome.result for outcome in outcomes} == {'refused', 'accepted'}
