"""What a client keeps to itself."""

import torch

from mmpose_raf.federation import ClientState
from tests.toy import assert_states_equal


def test_round_trip():
    state = ClientState([dict(lr=.1)], [dict(last_step=3)],
                        {0: dict(exp_avg=torch.ones(2))})
    saved = state.state_dict()
    assert set(saved) == {
        'hyperparameters', 'schedules', 'round', 'has_trained', 'optimizer',
        'personal', 'memory'
    }
    again = ClientState.from_state_dict(saved)
    assert_states_equal(again.state_dict(), saved)


def test_first_states_share_nothing():
    first, second = ClientState([], []), ClientState([], [])
    first.optimizer[0] = 1
    assert second.optimizer == {}


def test_what_is_left_of_a_refused_training():
    before = ClientState([dict(lr=.1)], [dict(last_step=3)], 1, True,
                         {0: dict(exp_avg=torch.ones(2))},
                         dict(head=torch.zeros(1)), dict(c=torch.zeros(1)))
    bad = torch.tensor([float('nan')])
    trained = ClientState([dict(lr=.05)], [dict(last_step=5)], 2, True,
                          {0: dict(exp_avg=bad)}, dict(head=bad), dict(c=bad))
    left = before.discard(trained)
    assert (left.round, left.hyperparameters) == (2, [dict(lr=.05)])
    assert left.schedules == [dict(last_step=5)] and left.optimizer == {}
    assert left.personal is before.personal and left.memory is before.memory
