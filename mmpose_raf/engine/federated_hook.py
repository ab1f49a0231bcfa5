"""Federated training inside MMEngine's standard training loop."""

from logging import Logger
from typing import Dict, List, Optional, Sequence, Set, Union

import torch
from mmengine.dist import (all_reduce_params, get_world_size, is_distributed,
                           is_main_process)
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from tqdm import tqdm

from mmpose_raf.datasets.availability import parse_availability
from mmpose_raf.datasets.client import parse_clients
from mmpose_raf.datasets.participation import Visit
from mmpose_raf.datasets.partitioners import (describe_partition,
                                              partition_fingerprint)
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import (ClientUpdate, FoldedUpdates, Server,
                                   is_finite)
from mmpose_raf.federation.state_math import (State, clone_state,
                                              compare_updates, copy_state,
                                              put_state, state_bytes,
                                              update_norms)
from mmpose_raf.models.ladder import check_backbone_takes
from mmpose_raf.registry import (AGGREGATORS, LOCAL_OBJECTIVES,
                                 PARTITIONERS)
from .arguments import build_part, check_parts, check_runner, check_values
from .client_switch import ClientSwitch, to_device
from .federation_data import (build_federated_dataloader,
                              build_participation, count_distributions,
                              estimate_costs, share_out)
from .federation_settings import (check_resumed_partition,
                                  check_resumed_settings,
                                  describe_settings)
from .ema_models import EMAModels
from .local_training import LocalTraining
from .parallel_clients import (ParallelClients, assign_clients,
                               check_parallel_runner, stop_waiting)
from .personal_layers import PersonalLayers
from .proxy_loss import ProxyLoss
from .round_log import (ClientLog, Traffic, log_client, log_round,
                        mean_over_processes)


@HOOKS.register_module()
class FederatedHook(Hook):
    """Turns MMEngine's epochs into rounds of federated learning.

    In ``custom_hooks`` of any top-down heatmap config it shares out the
    training dataset over clients of different resolutions. In each epoch
    every client trains from the global weights at its own size, one after
    the other on the one resident model; at the end the aggregator makes the
    next global weights, before checkpoints are saved and validation runs.
    One epoch is one round (McMahan et al., AISTATS 2017; RAF, arXiv
    2507.23461).

    Learning-rate schedules are each client's own: those in epochs count
    rounds, those in iterations the client's iterations: where clients are
    asynchronous, one that comes often is soon at their end. An ``EMAHook``
    averages over the iterates of all clients. A run resumes at the round
    border, exactly.

    Args:
        clients (list[dict]): ``dict(name=..., input_size=(w, h))`` for each
            client; a list of sizes is shared evenly by its samples, as if
            from several cameras (one such client is centralised training on
            mixed resolutions); a ``dataset`` config in each replaces the
            partition, and ``capture_size=(w, h)`` simulates a smaller
            camera, see :class:`CapturedTopdownAffine`.
        partitioner (dict): Config of what shares out the training dataset.
            Defaults to ``dict(type='RandomPartitioner')``.
        aggregator (dict): Config of the server's rule. Defaults to
            ``dict(type='FedAvg')``, the uniform mean.
        local_objective (dict, optional): Config of what is added to the
            clients' loss, e.g. ``dict(type='FedProx', mu=0.01)``. Defaults
            to None.
        local_epochs (int): Passes of a client over its samples in a round.
            Defaults to 1.
        local_params (str | list[str]): Entries of the model that stay with
            each client and are never averaged: ``'norm'`` for all
            normalisation layers (FedBN), or patterns of names in the state
            dict such as ``['head.*']``. The global model keeps its first
            values there; see ``tools/export_client.py`` for the clients'
            own models. Defaults to ().
        client_fraction (float): Share of the clients, in (0, 1], that takes
            part in a round. Defaults to 1.
        availability (float | dict, optional): Probability, in (0, 1], that a
            client is there in a round, one for all or one by name; or, by
            name, the rounds ``[(first, last), ...]``, from 1, in which it
            is. Defaults to None: all always are.
        asynchronous (bool): Whether updates renew the global weights as they
            arrive on a simulated clock, by the clients'
            ``samples_per_second``. A round is then as many arrivals as
            clients train at a time (``client_fraction``). Defaults to
            False: the server waits for all participants.
        proxy_samples (int): Training samples that the server keeps for
            itself, for aggregators that need them. Defaults to 0.
        update_cosines (bool): Whether the log has the mean cosine of each
            update with the others', for which all of a round are kept.
            Without it FedAvg and the server optimizers add them up as they
            come: memory does not grow with the clients. Defaults to True.
        optimizer_state (str): ``'keep'`` each client's moments between its
            rounds, as RAF's authors do, or ``'reset'`` them. Defaults to
            ``'keep'``.
        state_device (str): Where global weights, updates and the clients'
            moments lie: ``'cpu'``, or ``'model'`` for the model's device,
            where a GPU holds those of all clients at once. Defaults to
            ``'cpu'``.
        parallel (str): What several processes share out: ``'batches'``, each
            a part of every batch, as MMEngine does; or ``'clients'``, each
            of whom one process trains, at the same time as the others. The
            weights are those of one process, but for rounding where updates
            are added up as they come, and for float16, whose loss scale each
            process has for itself. Log lines and counts of iterations are
            the main process's. Defaults to ``'batches'``.
        seed (int): Seed of partition, participation, order, augmentation
            and the model's randomness. Defaults to 0.

    Attributes:
        traffic (Traffic): What was sent in the last round.
        personal_states (dict[str, dict[str, Tensor]]): The clients' own
            layers, see ``local_params``.

    Raises:
        ConfigError: If an argument, or what the runner holds, does not fit.
    """

    # Before RuntimeInfoHook, which logs the learning rate of an iteration,
    # and before every hook that looks at the weights after an epoch.
    priority = 'HIGHEST'

    def __init__(self,
                 clients: Sequence[dict],
                 partitioner: dict = dict(type='RandomPartitioner'),
                 aggregator: dict = dict(type='FedAvg'),
                 local_objective: Optional[dict] = None,
                 local_epochs: int = 1,
                 local_params: Union[str, Sequence[str]] = (),
                 client_fraction: float = 1.,
                 availability: Union[None, float, dict] = None,
                 asynchronous: bool = False,
                 proxy_samples: int = 0,
                 update_cosines: bool = True,
                 optimizer_state: str = 'keep',
                 state_device: str = 'cpu',
                 parallel: str = 'batches',
                 seed: int = 0):
        self.local_epochs = local_epochs
        self.local_params = local_params
        self.client_fraction = client_fraction
        self.asynchronous = asynchronous
        self.proxy_samples = proxy_samples
        self.update_cosines = update_cosines
        self.optimizer_state = optimizer_state
        self.state_device = state_device
        self.parallel = parallel
        self.seed = seed
        check_values(self)
        self.clients = parse_clients(clients, 'FederatedHook.clients')
        self.availability = parse_availability(availability, self.clients,
                                               seed,
                                               'FederatedHook.availability')
        self.partitioner = build_part(PARTITIONERS, partitioner,
                                      'partitioner')
        self.aggregator = build_part(AGGREGATORS, aggregator, 'aggregator')
        self.local_objective = local_objective and build_part(
            LOCAL_OBJECTIVES, local_objective, 'local_objective')
        check_parts(self)
        self.settings = describe_settings(self, partitioner)
        #: The clients' own layers, from a checkpoint or the training. Who
        #: evaluates them has the dict before it is filled.
        self.personal_states: Dict[str, State] = {}
        self._resumed: Optional[dict] = None
        self._visit: Optional[Visit] = None

    def after_load_checkpoint(self, runner, checkpoint: dict):
        """Take the federation's state out of a checkpoint."""
        federation = checkpoint.get('federation')
        if federation is not None:
            self.personal_states.update(federation.get('personal', {}))
        if runner._resume:
            check_resumed_settings(federation, self.settings)
            self._resumed = federation

    def before_train(self, runner):
        """Share out the data and set every client up."""
        check_runner(runner)
        self._model = (
            runner.model.module
            if is_model_wrapper(runner.model) else runner.model)
        self._is_shared_out = self.parallel == 'clients' and is_distributed()
        if self._is_shared_out:
            check_parallel_runner(runner, self._model, len(self.clients))
            stop_waiting(runner, self._model)
        weights = next(self._model.parameters())
        self._device = torch.device(
            'cpu') if self.state_device == 'cpu' else weights.device
        self._build_data(runner)
        self.personal_states.clear()  # of a checkpoint that is not resumed
        self._personal = PersonalLayers(self._model, self.local_params,
                                        self.personal_states, self._device)
        self._server = Server(
            clone_state(
                self._personal.shared(self._model.state_dict()),
                self._device), self.aggregator, self.local_objective,
            len(self.clients))
        self._is_folding = (
            not self.update_cosines and not self.asynchronous
            and self._server.can_fold)
        self._folded = FoldedUpdates(self._device)
        self._ema = EMAModels(runner)
        self._switch = ClientSwitch(
            runner,
            [self._sampler.num_batches(i) for i in range(len(self.clients))],
            self.optimizer_state, self._device)
        self._parallel = ParallelClients(
            [client.name for client in self.clients], self._owners,
            self._switch, self._personal,
            self.local_objective) if self._is_shared_out else None
        if self._parallel:
            runner.save_checkpoint = self._parallel.collecting(
                runner.save_checkpoint)
        self._local_training = self.local_objective and LocalTraining(
            self._model, runner.optim_wrapper.optimizer, self.local_objective,
            self._personal.names, self._device)
        if self._personal.names:
            runner.logger.info(
                f'{len(self._personal.names)} entries stay with their client; '
                'the global model keeps its first values there')
        if self._resumed is not None:
            self._resume(runner, self._resumed)
            self._resumed = None

    def _resume(self, runner, federation: dict):
        if not federation['has_moments']:
            runner.logger.warning(
                'The checkpoint was saved without the optimizer, as best '
                'checkpoints are: every client starts with new moments')
        self._switch.load_state_dict(federation['clients'])
        self._server.load_state_dict(
            to_device(federation['server'], self._device))
        self._personal.clients.update(
            to_device(federation['personal'], self._device))

    def _build_data(self, runner):
        """Replace the training data loader by the federation's."""
        loop = runner.train_loop
        self.check_input_sizes(self._model)
        shares = share_out(loop.dataloader.dataset, self)
        self._fingerprint = partition_fingerprint(shares.datasets,
                                                  self.clients,
                                                  shares.indices)
        if self._resumed is not None:
            check_resumed_partition(self._resumed, self._fingerprint)
        self._participation = build_participation(self, shares)
        self._owners = assign_clients(
            estimate_costs(self.clients, shares),
            get_world_size()) if self._is_shared_out else None
        loop.dataloader = build_federated_dataloader(
            loop.dataloader, self.clients, shares,
            getattr(self._model.head, 'sigma_mode', 'pixel'),
            self.local_epochs, self._participation, self.seed, self._owners)
        self._sampler = loop.dataloader.batch_sampler
        # MMEngine computes it once, from the loader before it was replaced.
        loop._max_iters = self._sampler.num_batches_until(loop.max_epochs)
        self._distributions = count_distributions(
            self.aggregator.distribution, self.clients, shares)
        if self.aggregator.needs_proxy:
            self.aggregator.proxy_loss = ProxyLoss(self._model,
                                                   loop.dataloader,
                                                   shares.proxy)
        runner.logger.info('Federation:\n' + describe_partition(
            shares.datasets, self.clients, shares.indices))

    def check_input_sizes(self, model):
        """Refuse clients whose size a model with patches cannot take.

        Raises:
            ConfigError: If a client's size does not fit the patch.
        """
        for index, client in enumerate(self.clients):
            for size in client.input_sizes:
                check_backbone_takes(
                    model.backbone, size,
                    f'FederatedHook.clients[{index}].input_size')

    def before_train_epoch(self, runner):
        """Start a round."""
        self._sampler.set_epoch(runner.epoch)
        self._visits = self._participation.of_round(runner.epoch)
        self._switch.keep_server()
        self._updates: List[ClientUpdate] = []
        self._refused: List[str] = []
        # Of the others, if all clients of a process are absent.
        self._start_state = self._server.state
        self.traffic = Traffic()
        self._progress = tqdm(
            total=len(self._sampler),
            desc=f'round {runner.epoch + 1}/{runner.max_epochs}',
            unit='batch',
            leave=False,
            # None: only where the output is a terminal
            disable=None if is_main_process() else True)

    def before_train_iter(self,
                          runner,
                          batch_idx: int,
                          data_batch: Optional[dict] = None):
        """Switch to the client whose batch this is."""
        visit = self._visits[data_batch['data_samples'][0].visit]
        if visit != self._visit:
            self._finish_visit(runner)
            self._start_visit(runner, visit)

    def _start_visit(self, runner, visit: Visit):
        self._visit = visit
        name = self.clients[visit.client].name
        self._start_state = self._server.versions[visit.version]
        copy_state(self._start_state, self._model.state_dict())
        self._personal.load(name)
        self._ema.start()
        self._switch.activate(visit.client)
        if self._local_training:
            self._local_training.start(name)
            self.traffic.down += state_bytes(self.local_objective.download())
        self.traffic.down += state_bytes(self._start_state)
        self.traffic.visits += 1
        # Dropped paths must not depend on what ran before a resume.
        torch.manual_seed(self._seed_of(runner.epoch, visit))
        self._log = ClientLog()
        self._progress.set_postfix_str(name)

    def _seed_of(self, round_: int, visit: Visit) -> int:
        number = visit.client + visit.repeat * len(self.clients)
        seed = (self.seed * 1_000_003 + round_) * 1_000_003 + number
        return seed % 2**63  # torch takes no more; a date as seed gave that

    def after_train_iter(self,
                         runner,
                         batch_idx: int,
                         data_batch: Optional[dict] = None,
                         outputs: Optional[dict] = None):
        """Note what the iteration logs; near the end prepare the next."""
        self._log.add(outputs)
        self._progress.update()
        # Not earlier: till its turn its moments take the GPU's memory.
        num_iters = self._sampler.num_batches(self._visit.client)
        if self._log.num_iters == max(1, num_iters - 1):
            number = data_batch['data_samples'][0].visit
            following = self._sampler.next_client(number)
            if following is not None:
                self._switch.prepare(following)

    def _finish_visit(self, runner):
        """Take the update of the client that has trained, if one has."""
        if self._visit is None:
            return
        visit, self._visit = self._visit, None
        if is_distributed() and not self._is_shared_out:
            all_reduce_params(self._model.buffers(), op='mean')
        update = self._make_update(visit)
        is_usable = is_finite(update)
        if self._local_training:
            self._local_training.finish(is_usable)
        if is_usable:
            self._personal.save(update.client)
            self._updates.append(update)
            self.traffic.up += state_bytes(update.state)
            if self.local_objective:
                self.traffic.up += state_bytes(
                    self.local_objective.uploads.get(update.client, {}))
        else:
            self._refused.append(update.client)
            self._ema.refuse()
            runner.logger.error(
                f'Client {update.client} sent weights that are not finite: '
                'its update is refused')
        self._switch.suspend(visit.client, keep_moments=is_usable)
        log_client(runner, self.clients[visit.client], update,
                   self._log.num_iters)
        if not self._is_folding and not self.asynchronous:
            return
        usable = [update] if is_usable else []
        self._compare_updates(usable)
        if self.asynchronous:
            self._renew(usable, runner.logger)
        elif is_usable:
            self._folded.add(update, self.aggregator.weight_of(update))
        update.state = {}  # of which the log needs nothing

    def _make_update(self, visit: Visit) -> ClientUpdate:
        """What a client sends after its training."""
        metrics = self._log.means()
        if not self._is_shared_out:
            metrics = mean_over_processes(metrics)
        if self._participation.has_clock:
            metrics['arrival'] = visit.arrival
        staleness = self._server.version - visit.version
        if self.asynchronous:
            metrics['staleness'] = staleness
        shared = self._personal.shared(self._model.state_dict())
        # What is folded into a mean at once need not be copied.
        state = (put_state if self._is_folding else clone_state)(shared,
                                                                 self._device)
        return ClientUpdate(
            self.clients[visit.client].name,
            state,
            num_samples=len(self._sampler.indices[visit.client]),
            metrics=metrics,
            parameters=[
                name for name, _ in self._model.named_parameters()
                if name in shared
            ],
            distributions={
                name: shares[visit.client]
                for name, shares in self._distributions.items()
            },
            staleness=staleness)

    def after_train_epoch(self, runner):
        """End a round: the model gets the global weights."""
        self._finish_visit(runner)
        self._progress.close()
        if self._parallel:
            self._bring_together()
        if self._is_folding:
            self._renew(self._folded.take(), runner.logger)
        elif not self.asynchronous:
            self._compare_updates(self._updates)
            self._renew(self._updates, runner.logger)
        copy_state(self._server.state, self._model.state_dict())
        self._ema.end_round(self._model, self._personal.first)
        self._switch.activate_server()
        self._switch.end_round({visit.client for visit in self._visits})
        clock = self._participation.end_of_round(
            runner.epoch) if self._participation.has_clock else None
        log_round(runner, self.clients, self._updates, self._refused,
                  self.traffic, clock)
        self._updates = []

    def _bring_together(self):
        """Take over what other processes' clients have done."""
        updates = self._parallel.exchange(self._visits, self._updates)
        self._refused = [
            self.clients[visit.client].name
            for visit, update in zip(self._visits, updates) if update is None
        ]
        self._updates = [update for update in updates if update is not None]
        self.traffic = self._parallel.add_traffic(self.traffic)
        if self._is_folding:
            self._parallel.fold(self._folded)

    def _compare_updates(self, updates: List[ClientUpdate]):
        """Note how far each client went, and whether in one direction.

        Drift is thus seen while it happens.
        """
        if not updates:
            return
        states = [update.state for update in updates]
        names = updates[0].parameter_names
        if len(updates) > 1 and self.update_cosines:
            norms, cosines = compare_updates(self._start_state, states, names)
        else:
            norms, cosines = update_norms(self._start_state, states, names), []
        for update, norm in zip(updates, norms):
            update.metrics['update_norm'] = norm
        for update, cosine in zip(updates, cosines):
            update.metrics['update_cosine'] = cosine

    def _renew(self, updates: List[ClientUpdate], logger: Logger):
        """Let the server make the next global weights."""
        # A loss on proxy samples must not see the last client's own layers.
        self._personal.load_first()
        if updates and not self._server.has_enough(updates):
            logger.error(
                f'{type(self.aggregator).__name__} needs '
                f'{self.aggregator.min_clients} updates, there are '
                f'{len(updates)}: the global weights stay as they are')
        try:
            self._server.merge(updates, self._awaited_versions())
        except ValueError as error:
            raise ConfigError('FederatedHook.aggregator', str(error),
                              'see its documentation') from None
        if self._parallel:
            self._parallel.settle(self._server.state)
        for update in updates:
            if update.client in self.aggregator.weights:
                update.metrics['weight'] = self.aggregator.weights[
                    update.client]

    def _awaited_versions(self) -> Set[int]:
        """Numbers of the weights that clients are training from."""
        if not self.asynchronous:
            return set()
        round_ = self._sampler.round
        first = self._participation.first_version(round_)
        to_come = self._visits[self._server.version + 1 - first:]
        return {visit.version for visit in to_come
                } | self._participation.awaited_versions(round_)

    def before_save_checkpoint(self, runner, checkpoint: Dict):
        """Add what a resume needs beside the global weights."""
        clients = self._switch.state_dict()
        has_moments = 'optimizer' in checkpoint  # save_optimizer
        if not has_moments:
            for state in clients:
                state['optimizer'] = {}
        checkpoint['federation'] = dict(
            settings=self.settings,
            fingerprint=self._fingerprint,
            has_moments=has_moments,
            clients=clients,
            server=to_device(self._server.state_dict(), 'cpu'),
            personal=to_device(self._personal.clients, 'cpu'))
