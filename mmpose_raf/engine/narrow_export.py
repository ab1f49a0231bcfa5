"""The part of the model that a narrower client holds."""

import copy
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmpose_raf.building import build
from mmpose_raf.config_file import read_config
from mmpose_raf.federation.state_math import State
from .evaluate_run import find_config
from .federation_settings import HOOK
from .narrow_clients import (build_narrow_models, connect_submodels,
                             model_config_of)
from .preflight import read_settings
from .resumed_federation import check_resumed_run, check_resumed_settings
from .settings_checks import KEY


class NarrowExport:
    """Cuts a client's model out of the global one, as a request would.

    Args:
        work_dir (Path): The run's, with its config.
        federation (dict): What a checkpoint of it holds as ``federation``.
        client (str): Name of a client that is narrower.

    Attributes:
        config (Config): That of the run with the client's model, and without
            federation.

    Raises:
        ConfigError: If the folder has no config, or one of another run.
    """

    def __init__(self, work_dir: Path, federation: dict, client: str):
        self.client = client
        self.config = read_config(find_config(work_dir), str(work_dir))
        settings = read_settings(self.config)
        check_resumed_settings(federation, settings)
        check_resumed_run(federation, self.config)
        server = federation['server']
        self.version = server['version']
        self.aggregator = settings.build_aggregator()
        with DefaultScope.overwrite_default_scope(
                self.config.get('default_scope', 'mmengine')):
            connect_submodels(
                self.aggregator,
                build(MODELS, copy.deepcopy(self.config.model), 'model'),
                build_narrow_models(self.config.model, settings), settings)
        self.aggregator.load_state_dict(server['aggregator'])
        self.config.model = model_config_of(self.config.model.to_dict(),
                                            settings, client)
        self.config.pop(KEY, None)
        self.config.custom_hooks = [
            hook for hook in self.config.custom_hooks
            if getattr(hook['type'], '__name__', hook['type']) != HOOK
        ]

    def state(self, state: State) -> State:
        """The client's part of the global weights.

        Args:
            state (dict[str, Tensor]): All entries of the global model.
        """
        return self.aggregator.part_of(state, self.client, self.version)
