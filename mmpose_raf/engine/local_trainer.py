"""A client's part of a round."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import torch
from mmengine.dist import all_reduce_params, is_distributed
from torch import nn

from mmpose_raf.defences.base import Hardening
from mmpose_raf.federation import (ClientState, ClientUpdate, LocalObjective,
                                   TrainingStart, TrainRequest)
from mmpose_raf.federation.state_math import clone_state, copy_state, put_state
from .client_log import ClientLog, mean_over_processes
from .federation_data import ClientData
from .federation_settings import FederationSettings
from .host_transfer import HostTransfer
from .objective_steps import ObjectiveSteps
from .personal_layers import PersonalLayers
from .shared_optimizer import SharedOptimizer


class LocalTrainer:
    """Trains one client after the other on the runner's one model.

    Args:
        runner (Runner): The runner, ready to train.
        model (nn.Module): Its model, not wrapped, with its first weights.
        settings (FederationSettings): The federation.
        objective (LocalObjective, optional): Its local objective.
        data (dict[str, ClientData]): What the clients hold, by name.
        step (callable): Trains the model on one batch and returns what was
            logged, as ``EpochBasedTrainLoop.run_iter`` does.
        is_shared (bool): Whether other processes train the same client on
            their parts of the same batches.

    Raises:
        ConfigError: If the runner cannot train the clients in turn.
    """

    def __init__(self, runner, model: nn.Module,
                 settings: FederationSettings,
                 objective: Optional[LocalObjective],
                 data: Dict[str, ClientData],
                 step: Callable[[Any], Dict[str, Any]], is_shared: bool):
        self.model = model
        self.settings = settings
        self.data = data
        self.step = step
        self.is_shared = is_shared
        self.device = next(model.parameters()).device
        execution = settings.execution
        self.state_device = torch.device(
            'cpu') if execution.state_device == 'cpu' else self.device
        self.transfer = HostTransfer(self.device, self.state_device,
                                     execution.overlap)
        self.optimizer = SharedOptimizer(runner, self.transfer,
                                         settings.optimizer_state == 'keep')
        self.personal = PersonalLayers(model, settings.local_params,
                                       self.state_device)
        self.objective = objective
        self.objective_steps = objective and ObjectiveSteps(
            model, runner.optim_wrapper.optimizer, objective,
            self.personal.names)
        self._defences = settings.build_local_defence()
        for defence in self._defences:
            defence.check(model)
        self._honest = {
            client.name
            for client in settings.clients if not client.attacks
        }
        names = [client.name for client in settings.clients]
        self._indices = {name: index for index, name in enumerate(names)}

    def first_state(self, client: str) -> ClientState:
        """State of a client before its first training."""
        return self.optimizer.first_state(self.data[client].num_iters)

    def prefetch(self, state: ClientState):
        """Fetch the moments of who is next while another client trains."""
        self.optimizer.prefetch(state)

    def train(self, request: TrainRequest, state: ClientState,
              batches: Iterable[Tuple[int, Any]]
              ) -> Tuple[ClientUpdate, ClientState]:
        """Train a client.

        Args:
            request (TrainRequest): What the server asks for.
            state (ClientState): What the client has kept. Its moments are
                changed in place, nothing else of it.
            batches (iterable): The client's batches of all its local epochs,
                each with its number in the round.

        Returns:
            tuple[ClientUpdate, ClientState]: What it sends, and what it
            keeps if the update is of use; if not,
            :meth:`ClientState.discard` says what is left.
        """
        start = self._begin(request, state)
        # Dropped paths must not depend on what ran before a resume.
        torch.manual_seed(self.seed_of(request.client, request.number))
        log = ClientLog()
        hardenings = self._start_defences(request.client)
        refresh = self._refresh_point(request)
        with self._objective_at(start) as lr_sums:
            for done, (index, batch) in enumerate(batches):
                if done == refresh:
                    self._take_in(request, start)
                for harden in hardenings:
                    batch = harden(batch)
                log.add(self.step((index, batch)))
        return self._finish(request, start, log, lr_sums)

    def _refresh_point(self, request: TrainRequest) -> Optional[int]:
        """Before which batch a client takes fresh weights in, if it does."""
        if not request.fresh:
            return None
        num_iters = self.data[request.client].num_iters
        return int(self.objective.refresh_at * num_iters)

    def _take_in(self, request: TrainRequest, start: TrainingStart):
        """Let a client go on with what it makes of fresh weights."""
        fresh = replace(
            request.fresh, state=put_state(request.fresh.state, self.device))
        now = self.model.state_dict()
        copy_state(
            self.objective.take_in(
                self.personal.shared(now), fresh,
                fresh.version - request.version, start), now)

    def _begin(self, request: TrainRequest,
               state: ClientState) -> TrainingStart:
        """Give the model to a client."""
        copy_state(request.state, self.model.state_dict())
        self.personal.put(state.personal)
        self.optimizer.lend(state, request.round,
                            self.data[request.client].num_iters)
        if not self.objective:
            return TrainingStart(anchor={})
        # Where the model is, for it is computed with.
        return TrainingStart(
            put_state(request.state, self.device),
            put_state(state.memory, self.device),
            put_state(request.download, self.device))

    def seed_of(self, client: str, number: int) -> int:
        """Seed of what a model draws in a client's training.

        Args:
            client (str): Its name.
            number (int): See :class:`TrainRequest`.
        """
        seed = self.settings.seed * 1_000_003 + number
        seed = seed * 1_000_003 + self._indices[client]
        return seed % 2**63  # torch takes no more; a date as seed gave that

    def _start_defences(self, client: str) -> List[Hardening]:
        """What a client does to its batches; nothing if it is hostile."""
        if client not in self._honest:
            return []
        return [defence.start(self.model) for defence in self._defences]

    def _objective_at(self, start: TrainingStart):
        if not self.objective:
            return nullcontext({})
        return self.objective_steps.taking_part(start)

    def _finish(self, request: TrainRequest, start: TrainingStart,
                log: ClientLog, lr_sums: Dict[str, float]
                ) -> Tuple[ClientUpdate, ClientState]:
        """Take from the model what the client sends and what it keeps."""
        metrics = log.means()
        if self.is_shared and is_distributed():
            all_reduce_params(self.model.buffers(), op='mean')
            metrics = mean_over_processes(metrics)
        shared = self.personal.shared(self.model.state_dict())
        memory, upload = {}, {}
        if self.objective:
            memory, upload = self.objective.finish_client(
                shared, start, lr_sums)
        data = self.data[request.client]
        update = ClientUpdate(
            request.client,
            clone_state(shared, self.state_device),
            num_samples=data.num_samples,
            metrics=metrics,
            parameters=self.personal.parameters(),
            distributions=data.distributions,
            upload=put_state(upload, self.state_device),
            version=request.version)
        state = self.optimizer.take_back(request.round)
        state.personal = self.personal.take()
        state.memory = put_state(memory, self.state_device)
        return update, state
