"""One optimizer and one set of schedulers, shared by all clients."""

import copy
from contextlib import contextmanager
from typing import (Any, Collection, Dict, List, Optional, Sequence, Tuple,
                    Union)

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.utils import apply_to

from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import ClientState
from .host_transfer import HostTransfer


class ClientSwitch:
    """Puts a client's optimizer state and schedules in the runner's place.

    The runner keeps one optimizer and one list of parameter schedulers;
    their states are exchanged when another client's turn comes. Between two
    rounds the runner is left with the server's: the schedule of the rounds
    and an empty optimizer. The loss scale of mixed precision is a property
    of the model and shared by all.

    Args:
        runner (Runner): The runner, whose optimizer and schedulers are built.
        num_iters (list[int]): Iterations of each client in a round.
        optimizer_state (str): ``'keep'`` moments between rounds, or
            ``'reset'`` them.
        state_device (torch.device): Where the states of waiting clients lie.

    Raises:
        ConfigError: If optimizer or schedulers cannot be shared.
    """

    def __init__(self, runner, num_iters: Sequence[int], optimizer_state: str,
                 state_device: torch.device):
        wrapper = runner.optim_wrapper
        # An OptimWrapperDict is an OptimWrapper, but in name alone.
        if not isinstance(wrapper, OptimWrapper) or isinstance(
                wrapper, OptimWrapperDict):
            raise ConfigError('optim_wrapper',
                              f'got {type(wrapper).__name__}',
                              'use one optimizer')
        self.runner = runner
        self.num_iters = num_iters
        self.is_kept = optimizer_state == 'keep'
        self.state_device = state_device
        model_device = wrapper.param_groups[0]['params'][0].device
        self.transfer = HostTransfer(model_device, state_device)
        self._ahead: Optional[Tuple[int, dict]] = None
        self.schedulers = _schedulers_of(runner)
        server = self._snapshot()
        self.clients = [self._first_state(count) for count in num_iters]
        self.server = server
        self.activate_server()

    def _snapshot(self) -> ClientState:
        """Light part of the runner's state: all but the moments."""
        return ClientState(
            hyperparameters=[{
                key: copy.copy(value)
                for key, value in group.items()
                if key not in ('params', 'param_names')
            } for group in self.runner.optim_wrapper.param_groups],
            schedules=[
                dict(scheduler.state_dict()) for scheduler in self.schedulers
            ])

    def _restore(self, state: ClientState):
        """Put the light part of a state in the runner's place."""
        groups = self.runner.optim_wrapper.param_groups
        for group, saved in zip(groups, state.hyperparameters):
            group.update(saved)
        for scheduler, saved in zip(self.schedulers, state.schedules):
            scheduler.load_state_dict(saved)

    def _first_state(self, num_iters: int) -> ClientState:
        """State of a client before its first round.

        The schedules are built anew for every client, because those in
        iterations count the client's own: ``convert_to_iter_based`` and the
        default ``end`` depend on the length of its epoch.
        """
        for group in self.runner.optim_wrapper.param_groups:
            initial = [key for key in group if key.startswith('initial_')]
            for key in initial:
                group[key[len('initial_'):]] = group.pop(key)
        if not self.schedulers:
            return self._snapshot()
        shared = self.schedulers
        with _client_epoch(self.runner, num_iters):
            self.schedulers = self.runner.build_param_scheduler(
                copy.deepcopy(self.runner.cfg.param_scheduler))
        # MMEngine's warm-up of a single step ends where it starts.
        if any(getattr(scheduler, 'total_iters', 1) < 1
               for scheduler in self.schedulers):
            self.runner.logger.warning(
                f'A client has {num_iters} iterations in a round, too few for '
                'a warm-up of one round: its learning rate would stay at the '
                'start. Lower batch_size or lengthen the warm-up')
        state = self._snapshot()
        self.schedulers = shared
        return state

    def _load_moments(self, moments: Dict[int, Any]):
        """Give the optimizer a state; torch puts it on the right device."""
        optimizer = self.runner.optim_wrapper.optimizer
        packed = optimizer.state_dict()['param_groups']
        optimizer.load_state_dict(dict(state=moments, param_groups=packed))

    def prepare(self, client: int):
        """Fetch the moments of who is next while another client trains."""
        self._ahead = client, self.transfer.fetch(
            self.clients[client].optimizer)

    def activate(self, client: int):
        """Let a client train: its optimizer, its schedule, its iterations."""
        if self._ahead is None or self._ahead[0] != client:
            self.prepare(client)
        moments, self._ahead = self._ahead[1], None
        self.transfer.join()
        self._load_moments(moments)
        self._restore(self.clients[client])
        wrapper = self.runner.optim_wrapper
        wrapper.zero_grad()
        # Accumulated gradients must not cross the border between clients.
        # The module is only asked for BatchNorm, to warn once a call.
        wrapper.initialize_count_status(torch.nn.Identity(), 0,
                                        self.num_iters[client])

    def suspend(self, client: int, keep_moments: bool):
        """Keep what the training of a client leaves behind.

        Args:
            client (int): Index of the client.
            keep_moments (bool): Whether its moments are of any use; those of
                a training that went astray would spoil the next.
        """
        light = self._snapshot()
        if self.is_kept and keep_moments:
            light.optimizer = self.transfer.store(
                self.runner.optim_wrapper.optimizer.state_dict()['state'])
        self.clients[client] = light

    def activate_server(self):
        """Leave the runner with the schedule of the rounds."""
        self._load_moments({})
        self._restore(self.server)

    def end_round(self, participants: Collection[int]):
        """Step the schedules in rounds, for those who were absent as well.

        A client that comes back thus has its neighbours' learning rate: its
        schedules in iterations are moved on by those that it missed. The
        server's own schedule is stepped by MMEngine's ParamSchedulerHook.
        """
        for client, state in enumerate(self.clients):
            self._restore(state)
            missed = 0 if client in participants else self.num_iters[client]
            # In MMEngine's order, which matters where schedules overlap.
            for _ in range(missed):
                self._step_schedulers(by_epoch=False)
            self._step_schedulers(by_epoch=True)
            light = self._snapshot()
            light.optimizer = state.optimizer
            self.clients[client] = light
        self._restore(self.server)

    def _step_schedulers(self, by_epoch: bool):
        for scheduler in self.schedulers:
            if scheduler.by_epoch == by_epoch:
                scheduler.step()

    def keep_server(self):
        """Take over the server's schedule as MMEngine has stepped it."""
        self.server = self._snapshot()

    def state_of(self, client: int) -> dict:
        """State of a client, where the states lie."""
        self.transfer.finish()
        return self.clients[client].state_dict()

    def state_dict(self) -> List[dict]:
        """States of the clients, on the CPU."""
        return to_device(
            [self.state_of(index) for index in range(len(self.clients))],
            'cpu')

    def load_state_dict(self, states: Sequence[dict]):
        """Restore what :meth:`state_dict` gave."""
        # torch moves them to the right devices at a client's turn.
        self.clients = [
            ClientState.from_state_dict(to_device(state, 'cpu'))
            for state in states
        ]


def to_device(tree: Any, device: Union[str, torch.device]) -> Any:
    """Move all tensors of nested containers to a device."""
    return apply_to(tree, lambda value: isinstance(value, torch.Tensor),
                    lambda value: value.to(device))


def _schedulers_of(runner) -> list:
    schedulers = runner.param_schedulers or []
    if isinstance(schedulers, dict):
        raise ConfigError('param_scheduler', 'got schedulers by name',
                          'use one list')
    if schedulers and runner.cfg.get('param_scheduler') is None:
        raise ConfigError(
            'param_scheduler', 'the runner got built schedulers',
            'build it with Runner.from_cfg, so that every client can have '
            'its own')
    for scheduler in schedulers:
        if getattr(scheduler, 'need_val_args', False):
            raise ConfigError('param_scheduler',
                              f'{type(scheduler).__name__} follows a metric',
                              'use a schedule of epochs or iterations')
    return schedulers


@contextmanager
def _client_epoch(runner, num_iters: int):
    """Let MMEngine build schedulers for the epoch of one client."""
    loop = runner.train_loop
    whole = loop.dataloader, loop._max_iters
    loop.dataloader = range(num_iters)
    loop._max_iters = num_iters * loop.max_epochs
    try:
        yield
    finally:
        loop.dataloader, loop._max_iters = whole
