"""Voting on rankings of the edges of a random network."""

from typing import Sequence

import torch
from torch import Tensor

from ..errors import FederationError
from ..messages import ClientUpdate
from ..state_math import State, merge_states
from .base import Aggregator
from .robust import CoordinateMedian

#: How the names of scores end.
SCORES = '.scores'


class RankingVote(Aggregator):
    """FRL, federated rank learning (Mozaffari et al., USENIX Security 2023,
    arXiv 2110.04350).

    The clients train scores of the edges of one random network, of whose
    size the server looks at nothing: in each layer the scores s_k of client
    k rank the n edges, R_k(e) in 0..n-1, lowest first; the votes are added
    up, V(e) = sum_k R_k(e), and rank the edges anew. The next scores are
    those of the round before, the same numbers in this order, from which
    all clients go on. Equal votes are in the order of the edges. Whatever a
    client sends is a ranking, so that no single one moves an edge further
    than a vote does.

    What is in an update beside scores was drawn once, and stays: other
    parameters are those of the global model. Buffers are merged by the
    median of each coordinate, which the paper's networks do not have.

    The paper sends the ranking itself. Here a client sends its scores, whose
    order is the ranking: 4 bytes an edge, as its number in 32 bits would
    take. With ``payload`` they take fewer, and are ranked after it. The
    formulas were built from the paper's description, of which the code was
    not at hand.
    """

    def aggregate(self, global_state: State,
                  updates: Sequence[ClientUpdate]) -> State:
        """Count the votes, see :class:`Aggregator`."""
        names = set(updates[0].parameter_names)
        scores = [name for name in names if name.endswith(SCORES)]
        if not scores:
            raise FederationError(
                'RankingVote finds no scores to rank: it needs a '
                'RankedPoseEstimator')
        buffers = [{
            key: value
            for key, value in update.state.items() if key not in names
        } for update in updates]
        merged = merge_states(buffers, CoordinateMedian().merge)
        for name in scores:
            votes = sum(rank(update.state[name]) for update in updates)
            merged[name] = reorder(global_state[name], rank(votes))
        return {
            # Not the very tensor: older weights may still be in use.
            key: merged[key] if key in merged else value.clone()
            for key, value in global_state.items()
        }


def rank(scores: Tensor) -> Tensor:
    """The place of each entry, from the lowest, 0, in int64; equal ones are
    in their order."""
    flat = scores.flatten()
    ranks = torch.empty_like(flat, dtype=torch.int64)
    ranks[flat.argsort(stable=True)] = torch.arange(
        len(flat), device=flat.device)
    return ranks.view(scores.shape)


def reorder(scores: Tensor, ranks: Tensor) -> Tensor:
    """The same scores, so that they have these ranks."""
    return scores.flatten().sort().values[ranks]
