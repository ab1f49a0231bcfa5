"""Rounds whose clients train in this process, or in those of its group."""

from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, Iterator, Optional, Sequence

from mmengine.dist import get_world_size, is_distributed, is_main_process
from tqdm import tqdm

from mmpose_raf.datasets.partitioners import describe_partition
from mmpose_raf.datasets.schedule import Visit
from mmpose_raf.federation import (ClientState, ClientUpdate, Payload,
                                   RoundReport, Server, TrainRequest)
from mmpose_raf.federation.state_math import clone_state, copy_state
from .adapted_clients import build_adapted
from .client_models import ClientTrainers
from .ema_models import EMAModels
from .federation_data import (build_federated_dataloader, build_schedule,
                              client_data, estimate_costs, fingerprint_of,
                              share_out)
from .federation_settings import FederationSettings
from .host_transfer import to_device
from .hostile_clients import HostileClients
from .iteration_log import IterationLog
from .local_trainer import LocalTrainer
from .narrow_clients import build_parts, give_part_losses
from .parallel_clients import (ParallelClients, assign_clients,
                               check_parallel_runner, stop_waiting)
from .proxy_loss import ProxyLoss
from .resumed_federation import check_resumed_partition, describe_run
from .round_log import log_client, log_refusal
from .round_loop import RoundLoop, check_federation, unwrapped_model
from .train_step import TrainStep


class FederatedTrainLoop(RoundLoop):
    """Rounds of federated learning, simulated.

    In each round the clients that take part train from the global weights,
    each at its own size, one after the other on the one resident model.
    :class:`FederatedHook` puts it into the place of the runner's loop.

    Args:
        runner (Runner): The runner, whose loop is built.
        settings (FederationSettings): The federation.

    Attributes:
        trainer (LocalTrainer): Trains the clients that hold all; there once
            training has begun.
        trainers (ClientTrainers): Trains each on what it holds; likewise.
        states (list[ClientState]): What each client keeps; likewise.

    Raises:
        ConfigError: If the runner's training cannot be federated so.
        TrainingError: While it trains, if its updates cannot be used, see
            :class:`TrainingWatch`.
    """

    def __init__(self, runner, settings: FederationSettings):
        check_federation(runner, settings)
        plain = runner.train_loop.dataloader
        self.is_parallel = (
            settings.execution.parallel == 'clients' and is_distributed())
        self._shares = share_out(plain.dataset, settings)
        self.fingerprint = fingerprint_of(self._shares, settings)
        schedule = build_schedule(settings, self._shares)
        costs = estimate_costs(settings.clients, self._shares)
        self._owners = assign_clients(
            costs, get_world_size()) if self.is_parallel else None
        super().__init__(
            runner, settings, schedule,
            build_federated_dataloader(
                plain, settings, self._shares, schedule,
                getattr(unwrapped_model(runner).head, 'sigma_mode', 'pixel'),
                self._owners))
        self.sampler = self.dataloader.batch_sampler
        # MMEngine takes all rounds to be alike.
        self._max_iters = sum(
            self.sampler.num_batches_in(range(self.max_epochs)).values())
        self._log = runner.log_processor = IterationLog(
            runner, self.names, [
                cost / self.sampler.num_batches(client)
                for client, cost in enumerate(costs)
            ])

    def _begin(self):
        """Set server and clients up, or put them where they stood."""
        runner, settings = self.runner, self.settings
        if self.resumed is not None:
            check_resumed_partition(self.resumed, self.fingerprint)
        if self.is_parallel:
            check_parallel_runner(runner, self.model, len(self.names))
            stop_waiting(runner, self.model)
        objective = settings.build_local_objective()
        aggregator = settings.build_aggregator()
        make_trainer = partial(
            LocalTrainer,
            runner,
            settings=settings,
            objective=objective,
            data=client_data(settings, self._shares, self.sampler),
            step=TrainStep(self),
            is_shared=not self.is_parallel)
        self._adapted = build_adapted(settings, self.model, self.resumed)
        self._shared = (
            self._adapted.model if self._adapted else self.model)
        self.trainers = ClientTrainers(runner, self.model, self._shared,
                                       make_trainer)
        parts = build_parts(self.model, runner.cfg.model, settings, aggregator)
        self.trainers.assign(parts)
        self.trainer = self.trainers.main
        self._hostile = HostileClients(settings, self.trainer.seed_of)
        self.personal = self.trainer.personal
        self.server = Server(
            clone_state(
                self.personal.shared(self._shared.state_dict()),
                self.trainer.state_device), aggregator, objective,
            len(self.names), settings.keep_updates,
            Payload(settings.payload, self.personal.parameters()),
            self.personal.trained())
        self.states = [self.trainers.first_state(name) for name in self.names]
        self._ema = EMAModels(runner)
        self._ranks = None
        if self.is_parallel:
            self._ranks = ParallelClients(self.names, self._owners,
                                          self.trainer.transfer)
            runner.save_checkpoint = self._ranks.collecting(
                runner.save_checkpoint, self.states)
        if aggregator.proxy_samples:
            aggregator.proxy_loss = ProxyLoss(self._shared,
                                              self.dataloader,
                                              self._shares.proxy,
                                              self.personal.first)
            give_part_losses(aggregator, parts)
        runner.logger.info('Federation:\n' + describe_partition(
            self._shares.datasets, settings.clients, self._shares.indices))
        self._hostile.announce(runner.logger)
        if self.personal.names:
            runner.logger.info(
                f'{len(self.personal.names)} entries stay with their client; '
                'the global model keeps its first values there')
        if self.resumed is not None:
            self._restore(self.resumed)
            self.resumed = None
            self._watch.has_trained = True
        self._log.plan(
            self.sampler.num_batches_in(range(self.epoch, self.max_epochs)))

    def run_round(self) -> RoundReport:
        """Let the clients train, and renew the global weights."""
        self.trainers.server_optimizer.note_server()
        round_ = self.schedule.of_round(self.epoch)
        self._request(round_.beginners)
        visits = self.sampler.visits(self.epoch)
        with self._open_batches() as bar:
            batches = iter(bar)
            for visit, following in zip(visits, [*visits[1:], None]):
                bar.set_postfix_str(self.names[visit.client])
                for client in visit.refreshed:
                    self.server.refresh(self.names[client])
                self._visit(visit, self._batches_of(visit, following, batches))
                self._request(visit.successors)
        for waiting in self._hostile.release():
            self._hand_over(*waiting)
        if self._ranks:
            self._ranks.bring_together(self.server, round_.visits)
        report = self.server.close_round()
        if self._ranks:
            self._ranks.settle(self.server.state)
        self._leave_global_model()
        return report

    def _request(self, clients: Sequence[int]):
        for client in clients:
            self.server.request(self.names[client], self.epoch)

    def _read_request(self, client: str) -> TrainRequest:
        """What a client reads of what it is sent."""
        sent = self.server.sent(client)
        own = self.server.in_flight[client].state
        unpack = self.server.payload.unpack_weights
        fresh = sent.fresh and replace(
            sent.fresh, state=unpack(sent.fresh.state, own))
        return replace(sent, state=unpack(sent.state, own), fresh=fresh)

    def _visit(self, visit: Visit, batches: Iterator[Any]):
        """Train a client and hand its update to the server."""
        name = self.names[visit.client]
        self._log.begin(visit.client)
        self._ema.start()
        request = self._read_request(name)
        update, state = self.trainers.train(request, self.states[visit.client],
                                            batches)
        if self.schedule.has_clock:
            update.metrics['arrival'] = visit.arrival
        if not self._hostile.hold_back(update, visit, request, state):
            self._hand_over(update, visit, request, state)

    def _hand_over(self, update: ClientUpdate, visit: Visit,
                   request: TrainRequest, state: ClientState):
        """Let the server have an update, and the client its new state."""
        update = self._hostile.poison(request, update)
        # The server notes in the metrics, which both have, how it went.
        refusal = self.server.receive(
            replace(
                update,
                state=self.server.payload.pack_update(update.state,
                                                      request.state)))
        if refusal:
            state = self.states[visit.client].discard(state)
            self._ema.refuse()
            log_refusal(self.runner, update.client, refusal)
        self.states[visit.client] = state
        log_client(self.runner, self.settings.clients[visit.client], update,
                   self.sampler.num_batches(visit.client))

    def _open_batches(self) -> tqdm:
        """The batches of a round, client after client.

        One iterator serves all clients: prefetching runs across their
        borders.
        """
        self.sampler.set_epoch(self.epoch)
        return tqdm(
            enumerate(self.dataloader),
            total=len(self.sampler),
            desc=f'round {self.epoch + 1}/{self.max_epochs}',
            unit='batch',
            leave=False,
            # None: only where the output is a terminal
            disable=None if is_main_process() else True)

    def _batches_of(self, visit: Visit, following: Optional[Visit],
                    batches: Iterator[Any]) -> Iterator[Any]:
        """The batches of a visit; before the last, prepare the next one."""
        count = self.sampler.num_batches(visit.client)
        yield from islice(batches, count - 1)
        # Not earlier: till its turn its moments take the GPU's memory.
        if following is not None and following.client != visit.client:
            self.trainers.prefetch(self.names[following.client],
                                   self.states[following.client])
        yield from islice(batches, 1)

    def _leave_global_model(self):
        """Leave the runner with the global weights and the server's rate."""
        copy_state(self.server.state, self._shared.state_dict())
        self.personal.put(self.personal.first)
        if self._adapted:
            self._adapted.merge_into(self.model)
        self._ema.end_round(self.model, self.personal.first)
        self.trainers.server_optimizer.lend_to_server()

    def state_dict(self, with_moments: bool) -> dict:
        """What a resume needs beside the global weights, on the CPU.

        Args:
            with_moments (bool): Whether the clients' moments are in it.
        """
        self.trainer.transfer.finish()
        clients = {
            name: state.state_dict()
            for name, state in zip(self.names, self.states)
        }
        if not with_moments:
            for state in clients.values():
                state['optimizer'] = {}
        return dict(
            identity=self.settings.identity(),
            run=describe_run(self.runner.cfg),
            fingerprint=self.fingerprint,
            has_moments=with_moments,
            adapters=self._adapted and self._adapted.state_dict(),
            clients=to_device(clients, 'cpu'),
            server=to_device(self.server.state_dict(), 'cpu'))

    def _restore(self, federation: dict):
        """Go on from what :meth:`state_dict` gave."""
        if not federation['has_moments']:
            self.runner.logger.warning(
                'The checkpoint was saved without the optimizer, as best '
                'checkpoints are: every client starts with new moments')
        device = self.trainer.state_device
        # torch itself puts moments on the right device at a client's turn.
        for index, name in enumerate(self.names):
            state = ClientState.from_state_dict(federation['clients'][name])
            state.personal = to_device(state.personal, device)
            state.memory = to_device(state.memory, device)
            self.states[index] = state
        self.server.load_state_dict(to_device(federation['server'], device))
