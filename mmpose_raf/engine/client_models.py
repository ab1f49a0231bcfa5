"""Models that clients train in the place of the runner's own."""

import copy
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Callable, Dict, Iterable, Iterator, Optional, Tuple

from mmengine.runner import Runner
from torch import nn

from mmpose_raf.federation import ClientState, ClientUpdate, TrainRequest
from .local_trainer import LocalTrainer
from .shared_optimizer import SharedOptimizer


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
        own (nn.Module): Its own model, not wrapped.
        shared (nn.Module): What clients train that were given nothing else:
            the own model, or another in its place.
        make_trainer (callable): From a model to its trainer, called while
            the runner has that model.

    Attributes:
        main (LocalTrainer): Trains the shared model.
        server_optimizer (SharedOptimizer): Has the runner's schedule of the
            rounds.
    """

    def __init__(self, runner: Runner, own: nn.Module, shared: nn.Module,
                 make_trainer: Callable[[nn.Module], LocalTrainer]):
        self._make = partial(_make_in_place, runner, own, make_trainer)
        self._shared = self._make(shared)
        self._others: Dict[str, _Built] = {}
        self.main = self._shared[1]
        self.server_optimizer = self.main.optimizer
        if shared is not own:
            self.server_optimizer = SharedOptimizer(runner,
                                                    self.main.transfer, False)

    def assign(self, models: Dict[str, nn.Module]):
        """Give clients models of their own.

        Args:
            models (dict[str, nn.Module]): By name of the client; several may
                have the same.
        """
        built = {id(model): self._make(model) for model in models.values()}
        self._others = {
            name: built[id(model)]
            for name, model in models.items()
        }

    @contextmanager
    def _trainer_of(self, client: str) -> Iterator[LocalTrainer]:
        stand_in, trainer = self._others.get(client, self._shared)
        with stand_in.in_place() if stand_in else nullcontext():
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


_Built = Tuple[Optional[StandIn], LocalTrainer]


def _make_in_place(runner: Runner, own: nn.Module,
                   make_trainer: Callable[[nn.Module], LocalTrainer],
                   model: nn.Module) -> _Built:
    """A trainer, and what puts its model in place, if that is another."""
    if model is own:
        return None, make_trainer(model)
    stand_in = StandIn(runner, model)
    with stand_in.in_place():
        return stand_in, make_trainer(model)
