"""One optimizer and one set of schedules, lent to client after client."""

import copy
from contextlib import contextmanager
from typing import Any, Dict, List, Optional, Tuple

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict

from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import ClientState
from .host_transfer import HostTransfer


class SharedOptimizer:
    """Puts a client's moments and schedules in the runner's place.

    The runner keeps one optimizer and one list of parameter schedulers, whose
    states are exchanged when another client's turn comes. Between two rounds
    it is left with the server's: the schedule of the rounds and an empty
    optimizer. The loss scale of mixed precision is a property of the model
    and shared by all.

    Args:
        runner (Runner): The runner, whose optimizer and schedulers are built.
        transfer (HostTransfer): Brings moments to the model and back.
        keep_moments (bool): Whether clients keep theirs between rounds.

    Raises:
        ConfigError: If optimizer or schedulers cannot be shared.
    """

    def __init__(self, runner, transfer: HostTransfer, keep_moments: bool):
        wrapper = runner.optim_wrapper
        # An OptimWrapperDict is an OptimWrapper, but in name alone.
        if not isinstance(wrapper, OptimWrapper) or isinstance(
                wrapper, OptimWrapperDict):
            raise ConfigError('optim_wrapper',
                              f'got {type(wrapper).__name__}',
                              'use one optimizer')
        self.runner = runner
        self.transfer = transfer
        self.keep_moments = keep_moments
        self.schedulers = _schedulers_of(runner)
        self._server = self._snapshot()
        self._ahead: Optional[Tuple[ClientState, dict]] = None

    def first_state(self, num_iters: int) -> ClientState:
        """State of a client before its first round.

        The schedules are built anew for every client, because those in
        iterations count the client's own: ``convert_to_iter_based`` and the
        default ``end`` depend on the length of its epoch.

        Args:
            num_iters (int): Iterations of the client in a round.
        """
        for group in self.runner.optim_wrapper.param_groups:
            initial = [key for key in group if key.startswith('initial_')]
            for key in initial:
                group[key[len('initial_'):]] = group.pop(key)
        if not self.schedulers:
            state = self._snapshot()
            self.lend_to_server()
            return state
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
        self.lend_to_server()
        return state

    def prefetch(self, state: ClientState):
        """Fetch the moments of who is next while another client trains."""
        self._ahead = state, self.transfer.fetch(state.optimizer)

    def lend(self, state: ClientState, round_: int, num_iters: int):
        """Let a client train: its moments, its schedules, its iterations.

        Args:
            state (ClientState): What the client has kept.
            round_ (int): The round, counted from 0, to which its schedules
                are brought.
            num_iters (int): Its iterations in a round.
        """
        if self._ahead is None or self._ahead[0] is not state:
            self.prefetch(state)
        moments, self._ahead = self._ahead[1], None
        self.transfer.join()
        self._load_moments(moments)
        self._restore(state)
        self._catch_up(state, round_, num_iters)
        wrapper = self.runner.optim_wrapper
        wrapper.zero_grad()
        # Accumulated gradients must not cross the border between clients.
        # The module is only asked for BatchNorm, to warn once a call.
        wrapper.initialize_count_status(torch.nn.Identity(), 0, num_iters)

    def _catch_up(self, state: ClientState, round_: int, num_iters: int):
        """Step schedules over the rounds since the client's last one.

        A client that was absent thus has its neighbours' learning rate: its
        schedules in iterations are moved on by those that it missed.
        """
        missed = 0 if state.has_trained else num_iters
        for _ in range(state.round, round_):
            # In MMEngine's order, which matters where schedules overlap.
            for _ in range(missed):
                self._step_schedulers(by_epoch=False)
            self._step_schedulers(by_epoch=True)
            missed = num_iters

    def _step_schedulers(self, by_epoch: bool):
        for scheduler in self.schedulers:
            if scheduler.by_epoch == by_epoch:
                scheduler.step()

    def take_back(self, round_: int) -> ClientState:
        """What the training of a client in a round leaves behind."""
        state = self._snapshot()
        state.round, state.has_trained = round_, True
        if self.keep_moments:
            state.optimizer = self.transfer.store(
                self.runner.optim_wrapper.optimizer.state_dict()['state'])
        return state

    def note_server(self):
        """Take over the server's schedule as MMEngine has stepped it."""
        self._server = self._snapshot()

    def lend_to_server(self):
        """Leave the runner with the schedule of the rounds."""
        self._load_moments({})
        self._restore(self._server)

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

    def _load_moments(self, moments: Dict[int, Any]):
        """Give the optimizer a state; torch puts it on the right device."""
        optimizer = self.runner.optim_wrapper.optimizer
        packed = optimizer.state_dict()['param_groups']
        optimizer.load_state_dict(dict(state=moments, param_groups=packed))


def _schedulers_of(runner) -> List[Any]:
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
