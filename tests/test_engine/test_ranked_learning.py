"""FRL in whole runs."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import ClientUpdate, RankingVote, Server
from mmpose_raf.models.edge_popup import draw_edges, parametrize_edges
from tests.toy import (Witness, assert_states_equal, client_states, hook_of,
                       run, toy_config, weights_of)


def ranked_config(folder, clients=('high', 'low'), **options):
    cfg = toy_config(folder, clients=clients,
                     aggregator=dict(type='RankingVote'),
                     local_params=['*.original', '*.weight', '*.bias'],
                     **options)
    cfg.model.update(type='RankedPoseEstimator', keep=.5)
    return cfg


def draw_quadrants(generator):
    """Points, and whether their two first coordinates are of one sign."""
    points = torch.randn(200, 4, generator=generator)
    return points, (points[:, 0] * points[:, 1] > 0).long()


def test_votes_find_a_network_that_solves_a_problem_no_line_solves():
    """Three clients, ten rounds: from chance to nine of ten."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64),
                          nn.ReLU(), nn.Linear(64, 2))
    parametrize_edges(model, .5)
    draw_edges(model, .5)
    trained = [p for p in model.parameters() if p.requires_grad]
    data = {name: draw_quadrants(generator) for name in 'abc'}
    names = [name for name, _ in model.named_parameters()]
    server = Server({key: value.clone()
                     for key, value in model.state_dict().items()},
                    RankingVote(), None, 3)
    for round_ in range(10):
        for name, (points, labels) in data.items():
            model.load_state_dict(server.request(name, round_).state)
            adam = torch.optim.Adam(trained, lr=.03)
            for _ in range(10):
                adam.zero_grad()
                F.cross_entropy(model(points), labels).backward()
                adam.step()
            state = {key: value.clone()
                     for key, value in model.state_dict().items()}
            assert server.receive(ClientUpdate(
                name, state, 200, parameters=names, version=round_)) is None
        server.close_round()
    model.load_state_dict(server.state)
    points, labels = draw_quadrants(generator)
    assert (model(points).argmax(1) == labels).float().mean() > .9


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
