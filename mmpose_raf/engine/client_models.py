"""Models that clients train in the place of the runner's own."""

import copy
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterable, Iterator, Tuple

from mmengine.runner import Runner
from torch import nn

from mmpose_raf.federation import ClientState, ClientUpdate, TrainRequest
from .local_trainer import LocalTrainer


class StandIn:
    """A model with an optimizer and schedules of its own.

    Args:
        runner (Runner): The runner, whose config says how they are built.
        model (nn.Module): The model, on its device.
    """

    def __init__(self, runner: Runner, model: nn.Module):
        self.runner = runner
        self.model = model
        self.optim_wrapper = self.schedulers = None
        with self.in_place():
            runner.optim_wrapper = runner.build_optim_wrapper(
                copy.deepcopy(runner.cfg.optim_wrapper))
            runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
            schedule = runner.cfg.get('param_scheduler')
            runner.param_schedulers = schedule and \
                runner.build_param_scheduler(copy.deepcopy(schedule))
            self.optim_wrapper = runner.optim_wrapper
            self.schedulers = runner.param_schedulers

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While open, the runner has this model, and all that trains it."""
        runner = self.runner
        kept = runner.model, runner.optim_wrapper, runner.param_schedulers
        (runner.model, runner.optim_wrapper,
         runner.param_schedulers) = (self.model, self.optim_wrapper,
                                     self.schedulers)
        self.model.train()
        try:
            yield
        finally:
            (runner.model, runner.optim_wrapper,
             runner.param_schedulers) = kept


class ClientTrainers:
    """Trains each client on the model that it holds.

    Args:
        runner (Runner): The runner, ready to train.
        own (LocalTrainer): Trains on the runner's own model.
        models (dict[str, nn.Module]): By name of a client the model that it
            trains instead; clients may share one.
        make_trainer (callable): From a model to its trainer, called while
            the runner has that model.
    """

    def __init__(self, runner: Runner, own: LocalTrainer,
                 models: Dict[str, nn.Module],
                 make_trainer: Callable[[nn.Module], LocalTrainer]):
        self.own = own
        built: Dict[int, Tuple[StandIn, LocalTrainer]] = {}
        for model in models.values():
            if id(model) not in built:
                stand_in = StandIn(runner, model)
                with stand_in.in_place():
                    built[id(model)] = stand_in, make_trainer(model)
        self._others = {
            name: built[id(model)]
            for name, model in models.items()
        }

    @contextmanager
    def _trainer_of(self, client: str) -> Iterator[LocalTrainer]:
        if client not in self._others:
            yield self.own
            return
        stand_in, trainer = self._others[client]
        with stand_in.in_place():
            yield trainer

    def first_state(self, client: str) -> ClientState:
        """See :meth:`LocalTrainer.first_state`."""
        with self._trainer_of(client) as trainer:
            return trainer.first_state(client)

    def prefetch(self, client: str, state: ClientState):
        """See :meth:`LocalTrainer.prefetch`."""
        with self._trainer_of(client) as trainer:
            trainer.prefetch(state)

    def train(self, request: TrainRequest, state: ClientState,
              batches: Iterable[Any]) -> Tuple[ClientUpdate, ClientState]:
        """See :meth:`LocalTrainer.train`."""
        with self._trainer_of(request.client) as trainer:
            return trainer.train(request, state, batches)
