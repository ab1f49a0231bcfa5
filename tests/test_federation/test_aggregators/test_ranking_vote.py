"""FRL's server against votes counted by hand."""

import copy

import numpy as np
import pytest
import torch

from mmpose_raf.federation import (ClientUpdate, FederationError, RankingVote,
                                   Server)
from mmpose_raf.federation.aggregators.ranking_vote import rank, reorder

NAME = 'layer.parametrizations.weight.0.scores'


def update(client, scores, name=NAME, **buffers):
    state = {name: torch.tensor(scores),
             'layer.original': torch.ones(2),
             **{key: torch.tensor(value) for key, value in buffers.items()}}
    return ClientUpdate(client, state, 1, parameters=[name, 'layer.original'])


def test_votes_counted_by_hand():
    """Ranks 0 1 2 3, 1 0 3 2 and 3 2 1 0: votes 4 3 6 5."""
    updates = [update('a', [.1, .2, .3, .4]), update('b', [-5., -9., 7., 0.]),
               update('c', [4., 3., 2., 1.])]
    start = {NAME: torch.tensor([10., 40., 20., 30.]),
             'layer.original': torch.zeros(2)}
    before = copy.deepcopy(start)
    result = RankingVote().aggregate(start, updates)
    assert result[NAME].tolist() == [20., 10., 40., 30.]
    # What was drawn stays, whatever is sent.
    assert result['layer.original'].tolist() == [0, 0]
    for key, value in before.items():
        assert torch.equal(start[key], value)
        assert result[key].data_ptr() != start[key].data_ptr()


def test_equal_votes_are_in_the_order_of_the_edges():
    updates = [update('a', [1., 2., 3.]), update('b', [3., 2., 1.])]
    start = {NAME: torch.tensor([7., 9., 8.]),
             'layer.original': torch.zeros(2)}
    assert RankingVote().aggregate(start, updates)[NAME].tolist() == [7, 8, 9]


def test_ranks_are_numpys():
    torch.manual_seed(0)
    scores = torch.randn(4, 3, 2, 2)
    expected = np.argsort(np.argsort(scores.numpy().ravel()))
    assert rank(scores).flatten().tolist() == expected.tolist()
    again = reorder(torch.randn(4, 3, 2, 2), rank(scores))
    assert torch.equal(rank(again), rank(scores))
    assert rank(torch.zeros(5)).tolist() == [0, 1, 2, 3, 4]


def test_only_the_order_counts():
    """A client cannot have more than its vote, however large its numbers."""
    torch.manual_seed(0)
    start = {NAME: torch.randn(50), 'layer.original': torch.zeros(2)}
    honest = [update(name, torch.randn(50).tolist()) for name in 'abcd']
    bad = torch.randn(50)
    results = [
        RankingVote().aggregate(
            start, [*honest, update('e', (scale * bad).tolist())])
        for scale in (1., 1e6)
    ]
    assert torch.equal(results[0][NAME], results[1][NAME])
    assert torch.equal(results[0][NAME].sort().values,
                       start[NAME].sort().values)


def test_buffers_are_merged_by_the_median():
    updates = [update(str(i), [1., 2.], mean=[value], count=i)
               for i, value in enumerate((1., 2., 900.))]
    start = {NAME: torch.zeros(2), 'layer.original': torch.zeros(2),
             'mean': torch.zeros(1), 'count': torch.tensor(0)}
    result = RankingVote().aggregate(start, updates)
    assert result['mean'].tolist() == [2.] and result['count'] == 2
    assert list(result) == list(start)


def test_several_rounds_of_a_server():
    """Against the paper's algorithm on rankings alone."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=20).astype(np.float32)
    server = Server({NAME: torch.tensor(first)}, RankingVote(), None, 3)
    values, ranking = np.sort(first), np.argsort(np.argsort(first))
    for round_ in range(4):
        votes = np.zeros(20, dtype=int)
        for client in 'abc':
            request = server.request(client, round_)
            np.testing.assert_array_equal(request.state[NAME],
                                          values[ranking])
            trained = values[ranking] + rng.normal(size=20).astype(np.float32)
            votes += np.argsort(np.argsort(trained))
            server.receive(ClientUpdate(
                client, {NAME: torch.tensor(trained)}, 1, version=round_))
        server.close_round()
        ranking = np.argsort(np.argsort(votes, kind='stable'))


def test_a_model_without_scores_is_refused():
    with pytest.raises(FederationError, match='RankedPoseEstimator'):
        RankingVote().aggregate({}, [update('a', [1., 2.], name='weight')])
