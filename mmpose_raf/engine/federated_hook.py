"""Federated training by one hook in a config of MMPose."""

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop

from .federated_train_loop import FederatedTrainLoop
from .federation_settings import FederationSettings
from .settings_checks import KEY
from .personal_layers import publish_personal
from .resumed_federation import (check_resumed_run,
                                 check_resumed_settings)
from .round_loop import RoundLoop


@HOOKS.register_module()
class FederatedHook(Hook):
    """Makes each epoch a round of federated learning.

    In ``custom_hooks`` of any top-down heatmap config it shares out the
    training dataset over clients of different resolutions, and hands the
    runner a :class:`FederatedTrainLoop`: each epoch becomes a round (RAF,
    arXiv 2507.23461).

    Learning-rate schedules are each client's own: those in epochs count
    rounds, those in iterations the client's iterations: where clients are
    asynchronous, one that comes often is soon at their end. An ``EMAHook``
    averages over the iterates of all clients. A run resumes at the round
    border, exactly.

    Args:
        **settings: See :class:`FederationSettings`. They may stand in the
            config as ``federation = dict(clients=[...], ...)`` instead, so
            that other configs and ``--cfg-options`` reach them by name; what
            stands there overrides these.
    """

    # Before RuntimeInfoHook, which reads the length of the loop.
    priority = 'HIGHEST'

    def __init__(self, **settings):
        self.arguments = settings

    def before_run(self, runner):
        """Hand the runner the federation's loop, if it trains.

        MMEngine has built the runner's own by now, and has neither
        initialised weights nor loaded a checkpoint.

        Raises:
            ConfigError: If a setting, or what the runner holds, does not fit.
        """
        loop = runner._train_loop
        # A test after training is a run of its own, with the loop in place.
        if isinstance(loop, BaseLoop) and not isinstance(loop, RoundLoop):
            runner._train_loop = self.build_loop(
                runner,
                FederationSettings.of_config(runner.cfg, self.arguments))

    def build_loop(self, runner, settings: FederationSettings) -> RoundLoop:
        """Build the loop that the runner is handed."""
        return FederatedTrainLoop(runner, settings)

    def after_load_checkpoint(self, runner, checkpoint: dict):
        """Take the federation's state out of a checkpoint."""
        federation = checkpoint.get(KEY)
        loop = runner._train_loop
        if runner._resume and isinstance(loop, RoundLoop):
            check_resumed_settings(federation, loop.settings)
            check_resumed_run(federation, runner.cfg)
            loop.resumed = federation
        elif federation is not None:
            publish_personal(runner.message_hub, federation)

    def before_save_checkpoint(self, runner, checkpoint: dict):
        """Add what a resume needs beside the global weights."""
        checkpoint[KEY] = runner.train_loop.state_dict(
            with_moments='optimizer' in checkpoint)  # save_optimizer
