"""Updates of bounded length."""

from dataclasses import replace
from statistics import median
from typing import Callable, Dict, List, Optional, Sequence, Union

from torch import Tensor

from ..arguments import check_positive
from ..errors import FederationError
from ..messages import ClientUpdate
from ..state_math import (State, add_states, average_states, displacements,
                          state_norm)
from .base import Aggregator

MEDIAN = 'median'


class NormClipping(Aggregator):
    """Mean of updates of bounded length (Sun et al., arXiv 1911.07963).

    w_{t+1} = w_t + 1/N sum_i Delta_i min(1, C / ||Delta_i||) with Delta_i =
    w_i - w_t over the parameters; buffers are averaged.

    Alone it bounds what one client can do, and no more: a hostile update of
    length C counts as much as an honest one, in the same direction in every
    round, and a fixed C leaves it all the room that honest updates no longer
    need once training has settled. It does not hold poisoned labels and
    backdoors, whose updates are no longer than others. As a step before a
    robust rule it takes away what length alone gives:
    ``NormClipping('median', then=dict(type='TrimmedMean'))``.

    Args:
        max_norm (float | str): Bound C of the L2 norm of an update, > 0, or
            ``'median'``, that of the round's updates, which falls as they do
            and needs no tuning (as in FLAME, Nguyen et al., USENIX Security
            2022).
        then (Aggregator, optional): What makes the next weights of the
            clipped updates, with whatever it needs; in a config, its config.
            Defaults to None: the mean.
    """

    def __init__(self,
                 max_norm: Union[float, str],
                 then: Optional[Aggregator] = None):
        if max_norm != MEDIAN:
            check_positive(max_norm, 'max_norm')
        if then is not None and not isinstance(then, Aggregator):
            raise FederationError(f'then must be an aggregator, but got '
                                  f'{then!r}')
        self.max_norm = max_norm
        self.then = then
        if then is None:
            return
        if then.is_asynchronous and max_norm == MEDIAN:
            raise FederationError("max_norm must be a number where updates "
                                  "arrive one by one, but got 'median'")
        self.min_clients = then.min_clients
        self.proxy_samples = then.proxy_samples
        self.distribution = then.distribution
        self.is_asynchronous = then.is_asynchronous

    @property
    def weights(self) -> Dict[str, float]:
        """dict[str, float]: See :class:`Aggregator`."""
        return self.then.weights if self.then else {}

    @property
    def proxy_loss(self) -> Optional[Callable[[State], Tensor]]:
        """callable: See :class:`Aggregator`."""
        return self.then.proxy_loss if self.then else None

    @proxy_loss.setter
    def proxy_loss(self, loss: Callable[[State], Tensor]):
        self.then.proxy_loss = loss

    def find_fault(self, update: ClientUpdate) -> Optional[str]:
        """That of ``then``."""
        return self.then.find_fault(update) if self.then else None

    def aggregate(self, global_state: Dict[str, Tensor],
                  updates: Sequence[ClientUpdate]) -> Dict[str, Tensor]:
        """Clip the updates and merge them, see :class:`Aggregator`."""
        states = [update.state for update in updates]
        ways = displacements(states, global_state, updates[0].parameter_names)
        factors = self._factors(ways)
        if self.then:
            return self.then.aggregate(global_state, [
                replace(
                    update,
                    state={
                        **update.state,
                        **_moved(global_state, way, factor)
                    }) for update, way, factor in zip(updates, ways, factors)
            ])
        result = average_states(states, [1 / len(states)] * len(states))
        stepped = global_state
        for way, factor in zip(ways, factors):
            stepped = add_states(stepped, way, factor / len(ways))
        return {
            key: stepped[key] if key in ways[0] else result[key]
            for key in global_state
        }

    def _factors(self, ways: Sequence[State]) -> List[float]:
        """What each update is shortened by, in (0, 1]."""
        norms = [state_norm(way) for way in ways]
        bound = median(norms) if self.max_norm == MEDIAN else self.max_norm
        return [min(1., bound / max(norm, 1e-12)) for norm in norms]

    def state_dict(self) -> dict:
        """That of ``then``."""
        return self.then.state_dict() if self.then else {}

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
        if self.then:
            self.then.load_state_dict(state_dict)


def _moved(state: State, way: State, factor: float) -> State:
    """Where a part of a way leads: the entries that move."""
    moved = add_states(state, way, factor)
    return {key: moved[key] for key in way}
