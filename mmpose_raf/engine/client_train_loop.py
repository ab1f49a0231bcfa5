"""The training of one client that is alone in its process."""

import copy
from dataclasses import replace
from typing import Optional

from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop

from mmpose_raf.datasets.schedule import Round, Visit
from mmpose_raf.federation import ClientState, ClientUpdate, TrainRequest
from .federation_data import (build_federated_dataloader, client_data,
                              share_of)
from .federation_settings import FederationSettings
from .local_trainer import LocalTrainer
from .round_loop import check_federation, unwrapped_model
from .train_step import TrainStep


class ClientTrainLoop(EpochBasedTrainLoop):
    """Trains one client once, as a server that is elsewhere has asked it to.

    Its batches, their augmentation and what the model draws are those of the
    simulation, and so are its weights.

    Args:
        runner (Runner): The client's runner, whose loop is built.
        settings (FederationSettings): The federation.
        request (TrainRequest): What the server asks for.
        has_own_data (bool): Whether the training dataset of the config is
            this client's alone, and not shared out over all.

    Attributes:
        trainer (LocalTrainer): Trains the client.
        state (ClientState, optional): What it has kept, to be set before and
            taken after :meth:`run`. Defaults to None: it starts.
        before (ClientState): What it has trained from; there after
            :meth:`run`.
        update (ClientUpdate): What it sends; there after :meth:`run`.

    Raises:
        ConfigError: If the client cannot train so.
    """

    def __init__(self, runner, settings: FederationSettings,
                 request: TrainRequest, has_own_data: bool):
        check_federation(runner, settings)
        plain = runner.train_loop
        index = [client.name for client in settings.clients
                 ].index(request.client)
        shares = share_of(index, plain.dataloader.dataset, settings,
                          has_own_data)
        super().__init__(
            runner,
            build_federated_dataloader(
                plain.dataloader, settings, shares,
                _OneVisit(index, request.number),
                getattr(unwrapped_model(runner).head, 'sigma_mode', 'pixel')),
            plain.max_epochs)
        self.dataloader.batch_sampler.set_epoch(request.round)
        self._epoch = request.round
        self.settings = settings
        self.request = request
        self.shares = shares
        self.state: Optional[ClientState] = None
        self.update: ClientUpdate

    def run(self):
        """Train; see :attr:`update` and :attr:`state`."""
        runner = self.runner
        self.trainer = LocalTrainer(
            runner, unwrapped_model(runner), self.settings,
            self.settings.build_local_objective(),
            client_data(self.settings, self.shares,
                        self.dataloader.batch_sampler),
            TrainStep(self),
            is_shared=False)
        runner.call_hook('before_train')
        runner.call_hook('before_train_epoch')
        runner.model.train()
        self.before = self._state_to_train_from()
        self.update, self.state = self.trainer.train(
            self.request, with_own_moments(self.before),
            enumerate(self.dataloader))
        return runner.model

    def _state_to_train_from(self) -> ClientState:
        first = self.trainer.first_state(self.request.client)
        state = self.state or first
        if state.round <= self.request.round:
            return state
        # The server has gone back: so do the schedules.
        return replace(
            first,
            optimizer=state.optimizer,
            personal=state.personal,
            memory=state.memory)


def with_own_moments(state: ClientState) -> ClientState:
    """The state with copies of the moments, which training changes."""
    return replace(state, optimizer=copy.deepcopy(state.optimizer))


class ClientHook(Hook):
    """Hands a runner the loop of a client; see :class:`ClientTrainLoop`.

    Args:
        settings (FederationSettings): The federation.
        request (TrainRequest): What the server asks for.
        state (ClientState | None): What the client has kept.
        has_own_data (bool): See :class:`ClientTrainLoop`.
    """

    # Before RuntimeInfoHook, which reads the length of the loop.
    priority = 'HIGHEST'

    def __init__(self, settings: FederationSettings, request: TrainRequest,
                 state: Optional[ClientState], has_own_data: bool):
        self.settings = settings
        self.request = request
        self.state = state
        self.has_own_data = has_own_data

    def before_run(self, runner):
        """Put the loop into the place of the runner's own."""
        runner._train_loop = ClientTrainLoop(runner, self.settings,
                                             self.request, self.has_own_data)
        runner._train_loop.state = self.state


class _OneVisit:
    """The schedule of a client that knows of no others."""

    has_clock = False

    def __init__(self, client: int, number: int):
        self.client = client
        self.number = number

    def of_round(self, round_: int) -> Round:
        """That it trains; see :meth:`Schedule.of_round`."""
        return Round((self.client, ), [Visit(self.client, self.number, 0.)],
                     0.)
