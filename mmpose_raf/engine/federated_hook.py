"""Federated training inside MMEngine's standard training loop."""

from numbers import Real
from typing import Dict, List, Optional, Sequence

import torch
from mmengine.dist import all_reduce_params, is_distributed, is_main_process
from mmengine.hooks import CheckpointHook, EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS, Registry
from mmengine.runner import EpochBasedTrainLoop
from tqdm import tqdm

from mmpose_raf.datasets.client import parse_clients
from mmpose_raf.datasets.partitioners import (describe_partition,
                                              partition_fingerprint)
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import ClientUpdate, is_finite
from mmpose_raf.federation.state_math import (clone_state, compare_updates,
                                              copy_state)
from mmpose_raf.models.ladder import check_backbone_takes
from mmpose_raf.registry import (AGGREGATORS, LOCAL_OBJECTIVES,
                                 PARTITIONERS)
from .client_switch import ClientSwitch, to_device
from .federation_data import build_federated_dataloader, share_out
from .federation_settings import (check_resumed_partition,
                                  check_resumed_settings)
from .local_training import LocalTraining
from .round_log import ClientLog, log_client, log_round


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
    rounds, those in iterations the client's iterations. An ``EMAHook``
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
        client_fraction (float): Share of the clients, in (0, 1], that takes
            part in a round. Defaults to 1.
        optimizer_state (str): ``'keep'`` each client's moments between its
            rounds, as RAF's authors do, or ``'reset'`` them. Defaults to
            ``'keep'``.
        state_device (str): Where global weights, updates and the clients'
            moments lie: ``'cpu'``, or ``'model'`` for the model's device.
            Defaults to ``'cpu'``.
        seed (int): Seed of partition, participation, order, augmentation
            and the model's randomness. Defaults to 0.

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
                 client_fraction: float = 1.,
                 optimizer_state: str = 'keep',
                 state_device: str = 'cpu',
                 seed: int = 0):
        self.clients = parse_clients(clients, 'FederatedHook.clients')
        _check(local_epochs, 'local_epochs', 'an integer of at least 1',
               _is_int(local_epochs) and local_epochs >= 1)
        _check(client_fraction, 'client_fraction', 'a number in (0, 1]',
               isinstance(client_fraction, Real) and 0 < client_fraction <= 1)
        _check(optimizer_state, 'optimizer_state', "'keep' or 'reset'",
               optimizer_state in ('keep', 'reset'))
        _check(state_device, 'state_device', "'cpu' or 'model'",
               state_device in ('cpu', 'model'))
        _check(seed, 'seed', 'an integer of at least 0',
               _is_int(seed) and seed >= 0)
        self.partitioner = _build(PARTITIONERS, partitioner, 'partitioner')
        self.aggregator = _build(AGGREGATORS, aggregator, 'aggregator')
        self.local_objective = local_objective and _build(
            LOCAL_OBJECTIVES, local_objective, 'local_objective')
        self.local_epochs = local_epochs
        self.client_fraction = client_fraction
        self.optimizer_state = optimizer_state
        self.state_device = state_device
        self.seed = seed
        self.settings = dict(
            clients=[[
                client.name, *map(list, client.input_sizes),
                *(['captured at', list(client.capture_size)]
                  if client.capture_size else [])
            ] for client in self.clients],
            partitioner=repr(sorted(partitioner.items())),
            seed=seed)
        self._resumed: Optional[dict] = None
        self._active: Optional[int] = None

    def after_load_checkpoint(self, runner, checkpoint: dict):
        """Take the federation's state out of a checkpoint to resume."""
        if runner._resume:
            self._resumed = checkpoint.get('federation')
            check_resumed_settings(self._resumed, self.settings)

    def before_train(self, runner):
        """Share out the data and set every client up."""
        self._check_runner(runner)
        self._model = (
            runner.model.module
            if is_model_wrapper(runner.model) else runner.model)
        self._build_data(runner)
        weights = next(self._model.parameters())
        self._device = torch.device(
            'cpu') if self.state_device == 'cpu' else weights.device
        self._global_state = clone_state(self._model.state_dict(),
                                         self._device)
        self._switch = ClientSwitch(
            runner,
            [self._sampler.num_batches(i) for i in range(len(self.clients))],
            self.optimizer_state, self._device)
        self._local_training = self.local_objective and LocalTraining(
            self._model, runner.optim_wrapper.optimizer, self.local_objective,
            self._device)
        if self._resumed is not None:
            if not self._resumed['has_moments']:
                runner.logger.warning(
                    'The checkpoint was saved without the optimizer, as best '
                    'checkpoints are: every client starts with new moments')
            self._switch.load_state_dict(self._resumed['clients'])
            self.aggregator.load_state_dict(
                to_device(self._resumed['aggregator'], self._device))
            if self.local_objective:
                self.local_objective.load_state_dict(
                    to_device(self._resumed['local_objective'],
                              self._device))
            self._resumed = None

    def _check_runner(self, runner):
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ConfigError(
                'train_cfg', f'got {type(runner.train_loop).__name__}',
                'use by_epoch=True: one epoch is one round')
        for hook in runner.hooks:
            if isinstance(hook, CheckpointHook) and not hook.by_epoch:
                raise ConfigError(
                    'default_hooks.checkpoint.by_epoch',
                    "in mid-round the model holds one client's weights",
                    'use by_epoch=True')

    def _build_data(self, runner):
        """Replace the training data loader by the federation's."""
        loop = runner.train_loop
        self.check_input_sizes(self._model)
        datasets, indices = share_out(loop.dataloader.dataset, self.clients,
                                      self.partitioner, self.seed)
        self._fingerprint = partition_fingerprint(datasets, self.clients,
                                                  indices)
        if self._resumed is not None:
            check_resumed_partition(self._resumed, self._fingerprint)
        loop.dataloader = build_federated_dataloader(
            loop.dataloader, self.clients, datasets, indices,
            getattr(self._model.head, 'sigma_mode', 'pixel'),
            self.local_epochs, self.client_fraction, self.seed)
        self._sampler = loop.dataloader.batch_sampler
        # MMEngine computes it once, from the loader before it was replaced.
        loop._max_iters = self._sampler.num_batches_until(loop.max_epochs)
        runner.logger.info('Federation:\n' + describe_partition(
            datasets, self.clients, indices))

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
        self._switch.keep_server()
        self._updates: List[ClientUpdate] = []
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
        name = data_batch['data_samples'][0].client
        if self._active is None or self.clients[self._active].name != name:
            self._finish_client(runner)
            self._start_client(runner, name)

    def _start_client(self, runner, name: str):
        names = [client.name for client in self.clients]
        self._active = names.index(name)
        copy_state(self._global_state, self._model.state_dict())
        self._switch.activate(self._active)
        if self._local_training:
            self._local_training.start(name)
        # Dropped paths must not depend on what ran before a resume.
        torch.manual_seed(self._seed_of(runner.epoch, self._active))
        self._log = ClientLog()
        self._progress.set_postfix_str(name)

    def _seed_of(self, round_: int, client: int) -> int:
        seed = (self.seed * 1_000_003 + round_) * 1_000_003 + client
        return seed % 2**63  # torch takes no more; a date as seed gave that

    def after_train_iter(self,
                         runner,
                         batch_idx: int,
                         data_batch: Optional[dict] = None,
                         outputs: Optional[dict] = None):
        """Note what the iteration logs."""
        self._log.add(outputs)
        self._progress.update()

    def _finish_client(self, runner):
        """Take the active client's update, if one is active."""
        if self._active is None:
            return
        client = self.clients[self._active]
        if is_distributed():
            all_reduce_params(self._model.buffers(), op='mean')
        if self._local_training:
            self._local_training.finish()
        update = ClientUpdate(
            client.name,
            clone_state(self._model.state_dict(), self._device),
            num_samples=len(self._sampler.indices[self._active]),
            metrics=self._log.means(),
            parameters=[name for name, _ in self._model.named_parameters()])
        self._updates.append(update)
        log_client(runner, client, update, self._log.num_iters)
        self._switch.suspend(self._active)
        self._active = None

    def after_train_epoch(self, runner):
        """Aggregate: the round's updates become the global weights."""
        self._finish_client(runner)
        self._progress.close()
        self._compare_updates()
        self._global_state = self._aggregate(runner)
        copy_state(self._global_state, self._model.state_dict())
        self._share_buffers(runner)
        self._switch.activate_server()
        participants = self._sampler.participation.of_round(runner.epoch)
        self._switch.end_round(participants)
        log_round(runner, self.clients, self._updates)
        self._updates = []

    def _compare_updates(self):
        """Note how far each client went, and whether in one direction.

        Drift is thus seen while it happens.
        """
        norms, cosines = compare_updates(
            self._global_state, [update.state for update in self._updates],
            [name for name, _ in self._model.named_parameters()])
        for update, norm, cosine in zip(self._updates, norms, cosines):
            update.metrics['update_norm'] = norm
            if len(self._updates) > 1:
                update.metrics['update_cosine'] = cosine

    def _aggregate(self, runner) -> Dict[str, torch.Tensor]:
        """The next global weights, from the updates that can be used."""
        usable = []
        for update in self._updates:
            if is_finite(update):
                usable.append(update)
            else:
                runner.logger.error(
                    f'Client {update.client} sent weights that are not '
                    'finite: its update is refused')
        if not usable:
            return self._global_state
        try:
            result = self.aggregator.aggregate(self._global_state, usable)
        except ValueError as error:
            raise ConfigError('FederatedHook.aggregator', str(error),
                              'let more clients take part') from None
        if self.local_objective:
            result = self.local_objective.finish_round(
                self._global_state, result, usable, len(self.clients))
        return result

    def _share_buffers(self, runner):
        """Give the global buffers to EMA models that copy the model's.

        ``EMAHook`` copies them after every iteration: the last would be those
        of one client.
        """
        for hook in runner.hooks:
            if isinstance(hook, EMAHook) and not hook.ema_model.update_buffers:
                copy_state(
                    dict(self._model.named_buffers()),
                    dict(hook.ema_model.module.named_buffers()))

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
            aggregator=to_device(self.aggregator.state_dict(), 'cpu'))
        if self.local_objective:
            checkpoint['federation']['local_objective'] = to_device(
                self.local_objective.state_dict(), 'cpu')


def _is_int(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _build(registry: Registry, config: dict, name: str):
    """Build a part of the federation from its config."""
    kind = config.get('type') if isinstance(config, dict) else None
    if isinstance(kind, str):
        kind = registry.get(kind)
    _check(
        config, name, 'a dict with one of the types ' +
        ', '.join(sorted(registry.module_dict)), kind is not None)
    try:
        return registry.build(config)
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f'FederatedHook.{name}', str(error),
                          'see its documentation') from None


def _check(value, name: str, wanted: str, is_valid: bool):
    if not is_valid:
        raise ConfigError(f'FederatedHook.{name}', f'got {value!r}',
                          f'use {wanted}')
