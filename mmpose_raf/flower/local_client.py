"""A client on its own machine, from its config to what it sends."""

import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Dict, Tuple

from mmengine.config import Config
from mmengine.runner import Runner

from mmpose_raf.config_file import read_config
from mmpose_raf.engine.client_train_loop import ClientHook
from mmpose_raf.engine.federation_settings import FederationSettings
from mmpose_raf.engine.narrow_clients import model_config_of
from mmpose_raf.engine.personal_layers import PersonalLayers
from mmpose_raf.engine.preflight import read_settings
from mmpose_raf.engine.round_loop import unwrapped_model
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import ClientUpdate, Payload, TrainRequest
from mmpose_raf.federation.state_math import State, copy_state, on_meta
from mmpose_raf.work_dir_lock import lock_work_dir
from .client_file import ClientFile
from .records import Terms
from .shared_config import as_written, seed_alike, without_pretrained
from .training_terms import describe_training, find_difference

#: What may stand in a node config.
KEYS = ('client', 'config', 'data', 'folder')
# They look at the validation data of the whole run.
_SERVERS_HOOKS = ('FederatedHook', 'FeatureMovementHook')
# The only fields that a client's file about its data may set.
_DATA_KEYS = ('train_dataloader', 'val_dataloader', 'val_evaluator')


@dataclass(frozen=True)
class LocalClient:
    """A client as its own machine knows it.

    Args:
        client (str): Its name in the config.
        config (str): Path of the config, the same as the server's.
        data (str): Path of a config file with ``train_dataloader`` and, for
            evaluation, ``val_dataloader`` and ``val_evaluator``: what
            differs here. The training dataset is then the client's alone.
            Defaults to '': it trains on its part of the config's dataset.
        folder (str): Where its logs and what it keeps are. Defaults to
            ``'work_dirs/clients/<client>'``.
    """

    client: str
    config: str
    data: str = ''
    folder: str = ''

    @classmethod
    def of_node(cls, node_config: Dict[str, object]) -> 'LocalClient':
        """Read what stands in ``flower-supernode --node-config``.

        Raises:
            ConfigError: If a value is missing, unknown or no text.
        """
        for key, value in node_config.items():
            if key not in KEYS:
                raise ConfigError(f'node-config.{key}', 'unknown key',
                                  f'its keys are {", ".join(KEYS)}')
            if not isinstance(value, str):
                raise ConfigError(f'node-config.{key}', f'got {value!r}',
                                  f'write {key}="..."')
        for key in ('client', 'config'):
            if not node_config.get(key):
                raise ConfigError(f'node-config.{key}', 'it is missing',
                                  f'add {key}="..."')
        return cls(**node_config)

    def check(self, terms: Terms):
        """Refuse a server that means another training.

        Raises:
            ConfigError: If the client's config has no such client, or
                differs from the server's.
        """
        self._agree(terms)

    def train(self, terms: Terms, request: TrainRequest,
              taken: int) -> ClientUpdate:
        """Train, and write down what the client keeps.

        Args:
            terms (Terms): What the server says about the run.
            request (TrainRequest): What it asks for.
            taken (int): See :meth:`ClientFile.load`.

        Raises:
            ConfigError: If that cannot be done.
        """
        cfg, settings = self._agree(terms)
        if request.client != self.client:
            raise ConfigError('request', f'it is for {request.client!r}',
                              f'this is {self.client!r}')
        for key in ('val_cfg', 'val_dataloader', 'val_evaluator'):
            cfg.pop(key, None)
        if not settings.local_params:
            # All weights come from the server.
            cfg.load_from, cfg.model = None, without_pretrained(cfg.model)
        with lock_work_dir(cfg.work_dir):
            file = ClientFile(cfg.work_dir, terms.run)
            runner = Runner.from_cfg(cfg)
            model = unwrapped_model(runner)
            personal = PersonalLayers(model, settings.local_params, 'cpu')
            own = personal.shared(model.state_dict())
            payload = Payload(settings.payload, personal.parameters())
            _check_weights(payload.pack_weights(on_meta(own)), request.state)
            request = replace(
                request, state=payload.unpack_weights(request.state, own))
            runner.register_hook(
                ClientHook(settings, request, file.load(request.number, taken),
                           bool(self.data)))
            runner.train()
            loop = runner.train_loop
            file.save(request.number, loop.before, loop.state)
        return replace(
            loop.update,
            state=payload.pack_update(loop.update.state, request.state))

    def evaluate(self, terms: Terms, state: State,
                 taken: int) -> Tuple[Dict[str, float], int]:
        """Evaluate on the client's validation data.

        Args:
            terms (Terms): What the server says about the run.
            state (dict[str, Tensor]): The global weights.
            taken (int): See :meth:`ClientFile.load`.

        Returns:
            tuple[dict[str, float], int]: The metrics and the number of
            samples.

        Raises:
            ConfigError: If that cannot be done.
        """
        cfg, settings = self._agree(terms)
        if not cfg.get('val_dataloader'):
            raise ConfigError('val_dataloader', 'it is missing',
                              'add it to the file that `data` names')
        for key in ('train_cfg', 'train_dataloader', 'optim_wrapper',
                    'param_scheduler'):
            cfg.pop(key, None)
        cfg.load_from, cfg.model = None, without_pretrained(cfg.model)
        cfg.default_hooks.param_scheduler = None
        with lock_work_dir(cfg.work_dir):
            runner = Runner.from_cfg(cfg)
            model = unwrapped_model(runner)
            personal = PersonalLayers(model, settings.local_params, 'cpu')
            _check_weights(personal.shared(model.state_dict()), state)
            copy_state(state, model.state_dict())
            copy_state(
                ClientFile(cfg.work_dir, terms.run).personal(taken),
                model.state_dict())
            metrics = runner.val()
            return metrics, len(runner.val_dataloader.dataset)

    def _agree(self, terms: Terms) -> Tuple[Config, FederationSettings]:
        """Read the config and compare it with the server's."""
        cfg = read_config(self.config)
        settings = read_settings(cfg)
        names = [client.name for client in settings.clients]
        if self.client not in names:
            raise ConfigError('node-config.client',
                              f'{self.config} has no client {self.client!r}',
                              f'use one of {", ".join(names)}')
        difference = find_difference(terms.training,
                                     describe_training(cfg, settings))
        if difference:
            raise ConfigError(self.config, difference,
                              'use the config of the server')
        return self._localised(cfg, settings), settings

    def _localised(self, cfg: Config, settings: FederationSettings) -> Config:
        """The config of this client's own runner."""
        if self.data:
            own = read_config(self.data, 'node-config.data').to_dict()
            for key in own:
                if key not in _DATA_KEYS:
                    raise ConfigError(
                        f'{self.data}: {key}', 'it is not about data',
                        f'set {", ".join(_DATA_KEYS)} alone')
            cfg.merge_from_dict(own)
        # MMEngine writes it down; to format it takes longer than a round of
        # a small model.
        cfg = Config(
            cfg.to_dict(), filename=cfg.filename, format_python_code=False)
        cfg.work_dir = self.folder or str(
            Path('work_dirs', 'clients', self.client))
        cfg.resume, cfg.launcher = False, 'none'
        # The server may send it a part of the model, of this shape.
        cfg.model = model_config_of(cfg.model.to_dict(), settings, self.client)
        seed_alike(cfg, settings)
        # Two runners of one process must not share their logs.
        cfg.experiment_name = f'{self.client}_{uuid.uuid4().hex}'
        cfg.visualizer = _in_mmengine(
            dict(type='Visualizer', vis_backends=[]))
        cfg.log_processor = _in_mmengine(cfg.get('log_processor') or {})
        # None takes away one that MMEngine would add; it adds no pictures.
        hooks = dict(cfg.get('default_hooks') or {})
        hooks.pop('visualization', None)
        cfg.default_hooks = dict(hooks, checkpoint=None, sampler_seed=None)
        cfg.custom_hooks = [
            hook for hook in cfg.get('custom_hooks') or ()
            if as_written(hook['type']) not in _SERVERS_HOOKS
        ]
        return cfg


def _in_mmengine(part: dict) -> dict:
    """A part of a config whose class is MMEngine's own.

    To look for it among MMPose's first would import MMPose's inferencers and
    with them MMDetection, a quarter of what a client's process takes to
    start.
    """
    if part.get('type') in ('LogProcessor', 'Visualizer'):
        return dict(part, _scope_='mmengine')
    return part


def _check_weights(own: State, state: State):
    """Refuse weights that are not this model's.

    Args:
        own (dict[str, Tensor]): Names, shapes and dtypes of what should have
            come.
        state (dict[str, Tensor]): What has come.

    Raises:
        ConfigError: If a name, a shape or a dtype differs.
    """
    for name in own.keys() ^ state.keys():
        raise ConfigError(
            'model', f'{name!r} is ' +
            ('not sent' if name in own else 'sent') + ' by the server',
            'use the same version of every package')
    for name, value in own.items():
        sent = state[name]
        if (sent.shape, sent.dtype) != (value.shape, value.dtype):
            raise ConfigError(
                'model', f'the server has {name!r} in {tuple(sent.shape)}, '
                f'{sent.dtype}', f'it should be {tuple(value.shape)}, '
                f'{value.dtype}')
