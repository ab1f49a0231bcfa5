"""Clients of a simulation that send other updates than they have trained."""

from logging import Logger
from typing import Any, Callable, Iterator, List

import torch

from mmpose_raf.attacks import UpdateAttack, build_attacks
from mmpose_raf.federation import ClientUpdate, TrainRequest, is_finite
from mmpose_raf.federation.state_math import State, add_states, displacements
from .federation_settings import FederationSettings


class HostileClients:
    """Stands between training and server.

    Args:
        settings (FederationSettings): The federation. Poisoned samples are
            the dataset's business.
        seed_of (callable): See :meth:`LocalTrainer.seed_of`.

    Attributes:
        names (list[str]): Whoever is hostile, in any way.
    """

    def __init__(self, settings: FederationSettings,
                 seed_of: Callable[[str, int], int]):
        clients = settings.clients
        self.names = [client.name for client in clients if client.attacks]
        self.seed_of = seed_of
        self._attacks = {
            client.name: build_attacks(client.attacks, UpdateAttack,
                                       f'client {client.name!r}.attack')
            for client in clients
        }
        self._curious = {
            name
            for name, attacks in self._attacks.items()
            if any(attack.needs_others for attack in attacks)
        }
        self._seen: List[State] = []
        self._waiting: List[tuple] = []

    def announce(self, logger: Logger):
        """Tell in the log who is hostile, if anybody is."""
        if self.names:
            logger.warning('Hostile clients, as the config asks for: ' +
                           ', '.join(self.names))

    def hold_back(self, update: ClientUpdate, *belongings: Any) -> bool:
        """Keep an update back if its client first looks at the others'.

        Args:
            update (ClientUpdate): What the client has trained. It is not
                kept if the server will refuse it.
            *belongings (Any): Kept with it.

        Returns:
            bool: Whether it is kept.
        """
        if update.client not in self._curious or not is_finite(update.state):
            return False
        self._waiting.append((update, *belongings))
        return True

    def release(self) -> Iterator[tuple]:
        """What was held back, each update with its belongings."""
        yield from self._waiting
        self._seen, self._waiting = [], []

    def poison(self, request: TrainRequest,
               update: ClientUpdate) -> ClientUpdate:
        """Put what a client sends in the place of what it has trained.

        Args:
            request (TrainRequest): What it was asked for.
            update (ClientUpdate): What it has trained; its weights change.
        """
        attacks = self._attacks[update.client]
        # Honest, though a hostile client looks at it?
        is_seen = update.client not in self.names and bool(
            self._curious) and is_finite(update.state)
        if not attacks and not is_seen:
            return update
        way, = displacements([update.state], request.state,
                             update.parameter_names)
        if is_seen:
            self._seen.append(way)
            return update
        generator = torch.Generator().manual_seed(
            self.seed_of(request.client, request.number))
        for attack in attacks:
            way = attack.poison(way, self._seen, generator)
        moved = add_states(request.state, way)
        update.state.update({key: moved[key] for key in way})
        return update
