"""What a client keeps to itself."""

import torch

from mmpose_raf.federation import ClientState
from tests.toy import assert_states_equal


def test_round_trip():
    state = ClientState([dict(lr=.1)], [dict(last_step=3)],
                        {0: dict(exp_avg=torch.ones(2))})
    saved = state.state_dict()
    assert set(saved) == {'hyperparameters', 'schedules', 'optimizer'}
    again = ClientState.from_state_dict(saved)
    assert_states_equal(again.state_dict(), saved)


def test_first_states_share_nothing():
    first, second = ClientState([], []), ClientState([], [])
    first.optimizer[0] = 1
    assert second.optimizer == {}
