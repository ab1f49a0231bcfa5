"""The global weights and what renews them."""

from dataclasses import replace
from typing import Dict, List, Optional, Sequence, Tuple

from .aggregators import Aggregator
from .folded_updates import FoldedUpdates
from .messages import (NOT_FINITE, ClientUpdate, FreshWeights, TrainRequest,
                       find_fault, is_finite)
from .objectives import LocalObjective
from .payload import Payload
from .round_report import RoundReport, without_weights
from .state_math import (State, compare_updates, state_bytes, update_norms)


class Server:
    """Holds the global weights, numbered by how often they were renewed.

    A round is

        request = server.request('a client', round_)
        refusal = server.receive(update)
        ...
        report = server.close_round()

    Synchronous aggregators renew the weights at its end, asynchronous ones
    with each update. A client that is still training from an older version
    has a request in flight, which keeps that version alive.

    Args:
        state (dict[str, Tensor]): First global weights and buffers, which
            become its own.
        aggregator (Aggregator): What makes the next ones.
        objective (LocalObjective, optional): The clients' local objective,
            whose server side belongs to the aggregation. Defaults to None.
        num_clients (int): Clients of the federation. Defaults to 1.
        keep_updates (bool): Whether all updates of a round are kept to its
            end, where their directions are compared. Without it those that
            only a mean is needed of are added up as they come, and memory
            does not grow with the clients. Defaults to True.
        payload (Payload, optional): How weights and updates travel. Defaults
            to None: as they are.
        trained (list[str], optional): Parameters that the clients train.
            Defaults to None: those of each update.

    Attributes:
        state (dict[str, Tensor]): The weights now. They are never changed
            in place.
        version (int): Their number.
        in_flight (dict[str, TrainRequest]): What clients are working on,
            with the weights as the server has them, see :meth:`sent`.
        report (RoundReport): What has arrived in this round.
        folded (FoldedUpdates): The running mean, if ``is_folding``.
    """

    def __init__(self,
                 state: State,
                 aggregator: Aggregator,
                 objective: Optional[LocalObjective] = None,
                 num_clients: int = 1,
                 keep_updates: bool = True,
                 payload: Optional[Payload] = None,
                 trained: Optional[Sequence[str]] = None):
        self.state = state
        self.aggregator = aggregator
        self.objective = objective
        self.num_clients = num_clients
        self.keep_updates = keep_updates
        self.payload = payload or Payload()
        self.trained = trained
        self.version = 0
        self.num_requests: Dict[str, int] = {}
        self.in_flight: Dict[str, TrainRequest] = {}
        self.report = RoundReport()
        self.folded = FoldedUpdates()
        # The last weights that were packed, and what has become of them.
        self._packed: Tuple[State, State] = ({}, {})

    @property
    def is_folding(self) -> bool:
        """bool: Whether updates are added up as they come."""
        return not self.keep_updates and self.aggregator.is_foldable and not (
            self.objective and self.objective.needs_updates)

    def request(self, client: str, round_: int) -> TrainRequest:
        """Ask a client to train from the weights now.

        Args:
            client (str): Its name.
            round_ (int): The round, counted from 0.

        Returns:
            TrainRequest: What is sent, see :meth:`sent`.
        """
        number = self.num_requests.get(client, 0)
        self.num_requests[client] = number + 1
        self.in_flight[client] = TrainRequest(
            client, number, round_, self.version,
            self.aggregator.part_of(self.state, client, self.version),
            self.objective.download(client) if self.objective else {})
        request = self.sent(client)
        traffic = self.report.traffic
        traffic.down += state_bytes(request.state) + state_bytes(
            request.download)
        traffic.visits += 1
        return request

    def sent(self, client: str) -> TrainRequest:
        """The request that a client is working on, as it travels."""
        request = self.in_flight[client]
        # All clients of a round are sent the same.
        if request.state is not self._packed[0]:
            self._packed = (request.state,
                            self.payload.pack_weights(request.state))
        fresh = request.fresh and replace(
            request.fresh,
            state=self.payload.pack_weights(request.fresh.state))
        return replace(request, state=self._packed[1], fresh=fresh)

    def refresh(self, client: str):
        """Send the weights now to a client in the midst of its training.

        Nothing is sent if it has started from them.

        Args:
            client (str): Its name. It has a request in flight.
        """
        request = self.in_flight[client]
        if request.version == self.version:
            return
        self.in_flight[client] = replace(
            request, fresh=FreshWeights(self.version, self.state))
        self.report.traffic.down += state_bytes(
            self.sent(client).fresh.state)

    def receive(self, update: ClientUpdate) -> Optional[str]:
        """Take in an update.

        Args:
            update (ClientUpdate): The update as it has travelled; its
                weights are unpacked, its staleness and the length of its way
                are noted in it.

        Returns:
            str | None: Why it is refused. None: it is taken.
        """
        size = state_bytes(update.state) + state_bytes(update.upload)
        request = self.in_flight.get(update.client)
        if request is None or request.version != update.version:
            refusal = 'nothing was asked of it'
        else:
            del self.in_flight[update.client]
            refusal = self._unpack(update, request) or self._find_fault(
                update, request)
        if refusal:
            self.report.refused[update.client] = refusal
            return refusal
        self.report.traffic.up += size
        update.staleness = self.version - update.version
        if self.aggregator.is_asynchronous:
            update.metrics['staleness'] = update.staleness
            self._measure(update, request.state)
            self._renew([update], [update])
        elif self.is_folding:
            self._measure(update, request.state)
            self.folded.add(update, self.aggregator.weight_of(update))
        else:
            if self.aggregator.takes_submodels:
                self._measure(update, request.state)
            self.report.updates.append(update)
            return None
        self.report.updates.append(without_weights(update))
        return None

    def _unpack(self, update: ClientUpdate,
                request: TrainRequest) -> Optional[str]:
        """Unpack the weights of an update, or say why it is refused."""
        fault = find_fault(update, self.payload.layout(request.state))
        if fault:
            return fault
        if not self.payload.is_exact:
            update.state = self.payload.unpack_update(update.state,
                                                      request.state)
            # Codes and scales are finite; their product may not be.
            if not is_finite(update.state):
                return NOT_FINITE
        return None

    def _find_fault(self, update: ClientUpdate,
                    request: TrainRequest) -> Optional[str]:
        """Why what is to be done with an update cannot be done."""
        fault = self.aggregator.find_fault(update)
        if fault or not self.objective:
            return fault
        trained = update.parameter_names if self.trained is None else (
            self.trained)
        return self.objective.find_fault(update, request, trained)

    def close_round(self) -> RoundReport:
        """End the round: renew the weights, unless each update has.

        Returns:
            RoundReport: What happened. Its updates have no weights.

        Raises:
            FederationError: If the aggregator cannot take these updates.
        """
        report = self.report
        if not self.aggregator.is_asynchronous:
            self.in_flight.clear()
            arrived = report.updates
            if self.is_folding:
                arrived = self.folded.take()
            # Parts of a model have no common direction.
            elif not self.aggregator.takes_submodels:
                self._compare(arrived)
            self._renew(arrived, report.updates)
        report.updates = [without_weights(update) for update in report.updates]
        self.report = RoundReport()
        return report

    def _renew(self, arrived: List[ClientUpdate],
               reported: List[ClientUpdate]):
        """Make the next global weights.

        Args:
            arrived (list[ClientUpdate]): What is aggregated: the updates, or
                one that stands for all.
            reported (list[ClientUpdate]): The single ones.
        """
        if arrived:
            previous, needed = self.state, self.aggregator.min_clients
            has_enough = len(reported) >= needed
            if has_enough:
                self.state = self.aggregator.aggregate(previous, arrived)
            else:
                self.report.too_few = needed
            if self.objective:
                # Clients have gone on: the server's side must keep up.
                shifted = self.objective.finish_round(
                    previous, self.state, reported, self.num_clients)
                self.state = shifted if has_enough else previous
            weights = self.aggregator.weights
            for update in reported:
                if update.client in weights:
                    update.metrics['weight'] = weights[update.client]
        self.version += 1

    @staticmethod
    def _measure(update: ClientUpdate, start: State):
        update.metrics['update_norm'], = update_norms(
            start, [update.state], update.parameter_names)

    def _compare(self, updates: List[ClientUpdate]):
        """Note how far each client went, and whether in one direction.

        Drift is thus seen while it happens. Of a single update, or without
        ``keep_updates``, there are no directions.
        """
        if not self.keep_updates or len(updates) < 2:
            for update in updates:
                self._measure(update, self.state)
            return
        norms, cosines = compare_updates(
            self.state, [update.state for update in updates],
            updates[0].parameter_names)
        for update, norm, cosine in zip(updates, norms, cosines):
            update.metrics.update(update_norm=norm, update_cosine=cosine)

    def state_dict(self) -> dict:
        """What a continued run needs beside the weights now."""
        return dict(
            aggregator=self.aggregator.state_dict(),
            local_objective=self.objective.state_dict()
            if self.objective else {},
            version=self.version,
            num_requests=self.num_requests,
            in_flight={
                name: [
                    request.number, request.round, request.version,
                    request.fresh and request.fresh.version
                ]
                for name, request in self.in_flight.items()
            },
            # Those that nobody trains from are gone.
            versions={
                sent.version: sent.state
                for request in self.in_flight.values()
                for sent in (request, request.fresh)
                if sent and sent.version != self.version
            })

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave; ``state`` is there already."""
        self.aggregator.load_state_dict(state_dict['aggregator'])
        if self.objective:
            self.objective.load_state_dict(state_dict['local_objective'])
        self.version = state_dict['version']
        self.num_requests = dict(state_dict['num_requests'])
        versions = {**state_dict['versions'], self.version: self.state}
        self.in_flight = {
            name: TrainRequest(
                name,
                number,
                round_,
                version,
                versions[version],
                # Checkpoints of earlier versions do not have it.
                fresh=FreshWeights(fresh[0], versions[fresh[0]])
                if any(fresh) else None)
            for name, (number, round_, version,
                       *fresh) in state_dict['in_flight'].items()
        }
