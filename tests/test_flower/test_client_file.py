"""What a client goes on from, whatever became of its last training."""

import pytest
import torch

from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import ClientState
from mmpose_raf.flower.client_file import ClientFile
from tests.toy import assert_states_equal

RUN = '0' * 32


def state(value, round_):
    return ClientState([dict(lr=value)], [], round=round_, has_trained=True,
                       optimizer={0: dict(step=torch.tensor(value))},
                       personal=dict(p=torch.tensor([value])),
                       memory=dict(m=torch.tensor([value])))


@pytest.fixture
def file(tmp_path):
    file = ClientFile(tmp_path, RUN)
    file.save(4, state(1., 4), state(2., 5))
    return file


def assert_is(got, expected):
    assert_states_equal(got.state_dict(), expected.state_dict())


def test_nothing_is_kept_at_first(tmp_path):
    assert ClientFile(tmp_path, RUN).load(0, -1) is None
    assert ClientFile(tmp_path, RUN).personal(-1) == {}


def test_an_update_that_was_taken(file):
    assert_is(file.load(5, 4), state(2., 5))
    assert file.personal(4)['p'] == 2


def test_an_update_that_was_refused_or_lost(file):
    expected = state(1., 5)  # the schedules have gone on
    expected.hyperparameters, expected.optimizer = [dict(lr=2.)], {}
    assert_is(file.load(5, 3), expected)
    assert file.personal(3)['p'] == 1


def test_a_server_that_was_killed_asks_again(file):
    assert_is(file.load(4, 3), state(1., 4))


def test_a_server_that_has_gone_back_further(file):
    assert_is(file.load(2, 1), state(1., 4))


def test_runs_have_files_of_their_own(file, tmp_path):
    assert ClientFile(tmp_path, '1' * 32).load(5, 4) is None


def test_the_file_can_run_no_code(file):
    kept = torch.load(file.path, weights_only=True)
    assert set(kept) == {'number', 'before', 'after'}


def test_a_damaged_file_is_told(file):
    content = bytearray(file.path.read_bytes())
    content[len(content) // 2] ^= 0xff
    file.path.write_bytes(content[:-20])
    with pytest.raises(ConfigError, match='cannot be read'):
        file.load(5, 4)
