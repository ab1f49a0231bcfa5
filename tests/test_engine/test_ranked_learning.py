"""FRL in whole runs."""

import pytest
import torch

from mmpose_raf.errors import ConfigError
from tests.toy import (Witness, assert_states_equal, client_states, hook_of,
                       run, toy_config, weights_of)


def ranked_config(folder, clients=('high', 'low'), **options):
    cfg = toy_config(folder, clients=clients,
                     aggregator=dict(type='RankingVote'),
                     local_params=['*.original', '*.weight', '*.bias'],
                     **options)
    cfg.model.update(type='RankedPoseEstimator', keep=.5)
    return cfg


def test_rankings_alone_change_and_resume_is_exact(tmp_path):
    options = dict(rounds=3, hooks=[dict(type='Witness')])
    whole = run(ranked_config(tmp_path / 'whole', **options))
    seen = hook_of(whole, Witness)
    scores = [key for key in seen.first if key.endswith('.scores')]
    states = [seen.first, *seen.rounds]
    for before, after in zip(states, states[1:]):
        for key, value in before.items():
            if key in scores:
                assert torch.equal(value.flatten().sort().values,
                                   after[key].flatten().sort().values)
            elif 'running' not in key and 'num_batches' not in key:
                assert torch.equal(value, after[key])
        assert any(not torch.equal(before[key], after[key])
                   for key in scores)
    # Twice down and twice up: scores and BatchNorm's buffers.
    sent = sum(value.numel() * value.element_size()
               for key, value in seen.first.items()
               if key in scores or 'running' in key or 'num_batches' in key)
    traffic = whole.train_loop.report.traffic
    assert traffic.up == traffic.down == 2 * sent
    with pytest.raises(KeyboardInterrupt):
        run(ranked_config(tmp_path / 'broken', rounds=3,
                          hooks=[dict(type='Interrupt', round_=2)]))
    resumed = run(ranked_config(tmp_path / 'broken', rounds=3), resume=True)
    assert_states_equal(dict(weights_of(whole)), dict(weights_of(resumed)))
    assert_states_equal(client_states(whole), client_states(resumed))


def test_other_models_have_nothing_to_rank(tmp_path):
    with pytest.raises(ConfigError, match='RankedPoseEstimator'):
        run(toy_config(tmp_path, aggregator=dict(type='RankingVote')))
