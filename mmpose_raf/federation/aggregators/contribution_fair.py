"""Aggregation by what each client contributes to the others."""

from typing import Dict, List, Sequence

from torch import Tensor

from ..messages import ClientUpdate
from ..state_math import (State, add_states, average_states, cosine_states,
                          displacements)
from ..arguments import check_choice
from ..errors import FederationError
from .proxy_guided import ProxyGuided
from .weighted_average import WeightedAverage, normalize

MODES = ('plus', 'times')
# Least share of a client in each term, as in the authors' code: nobody is
# left out for good, and no term is 0/0.
LEAST = 1e-3


class ContributionFair(ProxyGuided, WeightedAverage):
    """FedCE (Jiang et al., CVPR 2023, arXiv 2303.16520).

    With the contributions c_k of the round before, uniform at first, and the
    updates Delta_k = w_k - w_t of the parameters:

    - gradient space: g_k = max(0, 1 - the mean over the rounds of
      cos(Delta_k, u - c_k Delta_k)) with the consensus u = sum_k c_k Delta_k.
      Who goes where the others do not adds something new.
    - data space: e_k = loss of the model without the client, sum_{j != k} c_j
      w_j / (1 - c_k). The worse, the more it is missed. In the paper each
      client validates that model on its own data; here the server does, on
      its proxy set.

    Both are scaled to the sum 1; their sum or product, scaled likewise, are
    the new c_k and the weights of the average, buffers included. The shares
    are at least 0.001 before the last scaling. One client alone gets weight
    1, and nothing is learned of it.

    Args:
        proxy_samples (int): Training samples that the server keeps for the
            proxy loss, >= 1.
        mode (str): ``'plus'`` adds the terms, ``'times'`` multiplies them.
            Defaults to ``'plus'``.
    """

    def __init__(self, proxy_samples: int, mode: str = 'plus'):
        super().__init__(proxy_samples)
        check_choice(mode, MODES, 'mode')
        self.mode = mode
        # N c_k: 1 is the mean, however many took part in a client's round.
        self.contributions: Dict[str, float] = {}
        # Sum and number of the cosines so far.
        self.cosines: Dict[str, List[float]] = {}

    def weigh(self, global_state: Dict[str, Tensor],
              updates: Sequence[ClientUpdate]) -> List[float]:
        """The new c_k."""
        clients = [update.client for update in updates]
        if len(clients) == 1:
            return [1.]
        previous = normalize(
            [self.contributions.get(client, 1.) for client in clients])
        weights = self._estimate(previous, global_state, updates)
        self.contributions = {
            **self.contributions,
            **{
                client: len(clients) * weight
                for client, weight in zip(clients, weights)
            }
        }
        return weights

    def _estimate(self, previous: Sequence[float],
                  global_state: Dict[str, Tensor],
                  updates: Sequence[ClientUpdate]) -> List[float]:
        # The losses first: if they fail, the history is as it was.
        losses = self._losses_without(previous, updates)
        ways = displacements([update.state for update in updates],
                            global_state, updates[0].parameter_names)
        novelties = self._novelties(previous, updates, ways)
        terms = zip(_shares(novelties), _shares(losses))
        if self.mode == 'plus':
            return normalize(_shares([one + two for one, two in terms]))
        return normalize(_shares([one * two for one, two in terms]))

    def _losses_without(self, previous: Sequence[float],
                        updates: Sequence[ClientUpdate]) -> List[float]:
        """Data space, e_k."""
        losses = []
        for k, update in enumerate(updates):
            others = [other.state for other in updates if other is not update]
            rest = normalize([*previous[:k], *previous[k + 1:]])
            losses.append(self.measure(average_states(others, rest)))
            if losses[-1] < 0:
                raise FederationError(
                    'ContributionFair needs a proxy loss >= 0, but without '
                    f'client {update.client} it is {losses[-1]}')
        return losses

    def _novelties(self, previous: Sequence[float],
                   updates: Sequence[ClientUpdate],
                   ways: Sequence[State]) -> List[float]:
        """Gradient space, g_k."""
        consensus = average_states(ways, previous)
        novelties = []
        for update, way, weight in zip(updates, ways, previous):
            others = add_states(consensus, way, -weight)
            total, count = self.cosines.get(update.client, [0., 0])
            total, count = total + cosine_states(way, others), count + 1
            self.cosines = {**self.cosines, update.client: [total, count]}
            novelties.append(max(0., 1 - total / count))
        return novelties

    def state_dict(self) -> dict:
        """Contributions and cosines so far, by client."""
        return dict(contributions=self.contributions, cosines=self.cosines)

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
        self.contributions = state_dict['contributions']
        self.cosines = state_dict['cosines']


def _shares(values: Sequence[float]) -> List[float]:
    return [max(LEAST, share) for share in normalize(values)]
