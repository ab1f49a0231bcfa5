"""Whether a runner's training can be federated."""

from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop
from torch import nn

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.ladder import check_backbone_takes
from .federation_settings import FederationSettings
from .settings_checks import KEY


def check_compile(cfg: Config):
    """Refuse MMEngine's ``compile``.

    It compiles the handling of the samples as well, where torch's compiler
    fails.

    Args:
        cfg (Config): The config of the run.

    Raises:
        ConfigError: If it is on.
    """
    if cfg.get('compile'):
        raise ConfigError('compile', 'MMEngine compiles more than the model, '
                          'which fails', 'use model.torch_compile=True')


def check_runner(runner):
    """Refuse a runner whose training cannot be federated.

    Args:
        runner (Runner): Before its training, with its loop built.

    Raises:
        ConfigError: If its loop counts no epochs, it saves checkpoints in
            mid-round, or it compiles.
    """
    check_compile(runner.cfg)
    if not isinstance(runner.train_loop, EpochBasedTrainLoop):
        raise ConfigError('train_cfg',
                          f'got {type(runner.train_loop).__name__}',
                          'use by_epoch=True: one epoch is one round')
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and not hook.by_epoch:
            raise ConfigError(
                'default_hooks.checkpoint.by_epoch',
                "in mid-round the model holds one client's weights",
                'use by_epoch=True')


def check_input_sizes(model: nn.Module, settings: FederationSettings):
    """Refuse clients whose size a model with patches cannot take.

    Args:
        model (nn.Module): The model, not wrapped.
        settings (FederationSettings): The federation.

    Raises:
        ConfigError: If a client's size does not fit the patch.
    """
    for index, client in enumerate(settings.clients):
        for size in client.input_sizes:
            check_backbone_takes(model.backbone, size,
                                 f'{KEY}.clients[{index}].input_size')
