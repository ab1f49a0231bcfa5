"""Rounds of a federation in the place of MMEngine's epochs."""

from abc import abstractmethod
from typing import Optional

from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop
from torch import nn
from torch.utils.data import DataLoader

from mmpose_raf.datasets.schedule import Schedule
from mmpose_raf.federation import RoundReport, Server
from .client_charts import ClientCharts
from .federation_settings import FederationSettings
from .narrow_checks import check_stand_ins
from .plugin_errors import plugin_errors
from .privacy import check_accountant, check_private_model, log_privacy
from .round_log import log_round
from .runner_checks import check_input_sizes, check_runner
from .training_watch import TrainingWatch


class RoundLoop(EpochBasedTrainLoop):
    """One epoch is one round (McMahan et al., AISTATS 2017).

    At its end the aggregator makes the next global weights, before
    checkpoints are saved and validation runs; hooks are called where
    ``EpochBasedTrainLoop`` calls them. Where the clients train is a
    subclass's.

    Args:
        runner (Runner): The runner, whose loop is built.
        settings (FederationSettings): The federation.
        schedule (Schedule): Who trains in which round.
        dataloader (DataLoader): What the runner's hooks shall take for that
            of the training.

    Attributes:
        names (list[str]): Names of the clients.
        model (nn.Module): The runner's model, not wrapped.
        server (Server): The global weights; there once training has begun.
        report (RoundReport): What happened in the last round; there once one
            is over.
        resumed (dict, optional): Where it stood, from a checkpoint, until
            training begins.

    Raises:
        TrainingError: While it trains, if its updates cannot be used, see
            :class:`TrainingWatch`.
    """

    def __init__(self, runner, settings: FederationSettings,
                 schedule: Schedule, dataloader: DataLoader):
        check_accountant(settings.build_aggregator())
        plain = runner.train_loop
        self.settings = settings
        self.names = [client.name for client in settings.clients]
        self.model = unwrapped_model(runner)
        self.schedule = schedule
        super().__init__(
            runner,
            dataloader,
            plain.max_epochs,
            plain.val_begin,
            plain.val_interval,
            # The first of each is the interval itself.
            list(zip(plain.dynamic_milestones, plain.dynamic_intervals))[1:])
        self.server: Server
        self.report: RoundReport
        self.resumed: Optional[dict] = None
        self._watch = TrainingWatch(settings.max_refusals)
        self._charts = ClientCharts(runner.visualizer)

    def run(self) -> nn.Module:
        """Train from the weights that the model has now."""
        self._begin()
        model = super().run()
        self._watch.end_training()
        return model

    @abstractmethod
    def _begin(self):
        """Set server and clients up, or put them where they stood."""

    def run_epoch(self):
        """Run a round among MMEngine's hooks."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        with plugin_errors():
            self.report = self.run_round()
        log_round(
            self.runner, self.settings.clients, self.report,
            self.schedule.of_round(self.epoch).end
            if self.schedule.has_clock else None)
        self._charts.add(self.report.updates, self.epoch + 1)
        log_privacy(self.runner, self.server)
        self._watch.end_round(self.report, self.epoch + 1)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    @abstractmethod
    def run_round(self) -> RoundReport:
        """Let the clients train, and renew the global weights."""

    @abstractmethod
    def state_dict(self, with_moments: bool) -> dict:
        """What a resume needs beside the global weights, on the CPU.

        Args:
            with_moments (bool): Whether the clients' moments are in it.
        """


def unwrapped_model(runner) -> nn.Module:
    """A runner's model without the wrapper of distributed training."""
    return runner.model.module if is_model_wrapper(
        runner.model) else runner.model


def check_federation(runner, settings: FederationSettings):
    """Refuse a runner that cannot train this federation.

    Raises:
        ConfigError: If its training cannot be federated, or its model cannot
            take a client's size, or shares more than is protected.
    """
    check_runner(runner)
    if settings.adapters or any(client.width != 1
                                for client in settings.clients):
        check_stand_ins(runner)
    check_input_sizes(unwrapped_model(runner), settings)
    check_private_model(
        unwrapped_model(runner), settings.build_aggregator(),
        settings.local_params)
