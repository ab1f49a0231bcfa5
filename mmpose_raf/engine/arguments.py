"""Checks of what a config passes to the hook."""

from numbers import Real
from typing import Any, Callable

from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.registry import Registry
from mmengine.runner import EpochBasedTrainLoop

from mmpose_raf.datasets.participation import count_participants
from mmpose_raf.errors import ConfigError


def is_int(value) -> bool:
    """Whether a value is an integer; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_int_from(lowest: int) -> Callable[[Any], bool]:
    return lambda value: is_int(value) and value >= lowest


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return isinstance(value, Real) and 0 < value <= 1


# Of the hook's plain arguments, what they may be.
VALUES = dict(
    local_epochs=('an integer of at least 1', _is_int_from(1)),
    client_fraction=('a number in (0, 1]', _is_share),
    asynchronous=('True or False', _is_bool),
    proxy_samples=('an integer of at least 0', _is_int_from(0)),
    update_cosines=('True or False', _is_bool),
    optimizer_state=("'keep' or 'reset'", ('keep', 'reset').__contains__),
    state_device=("'cpu' or 'model'", ('cpu', 'model').__contains__),
    parallel=("'batches' or 'clients'", ('batches', 'clients').__contains__),
    seed=('an integer of at least 0', _is_int_from(0)))


def check_values(hook):
    """Refuse values of the hook's plain arguments.

    Args:
        hook (FederatedHook): With them set.

    Raises:
        ConfigError: If one is not what it may be.
    """
    for name, (wanted, is_valid) in VALUES.items():
        value = getattr(hook, name)
        _check(name, value, wanted, is_valid(value))


def _check(name: str, value: Any, wanted: str, is_valid: bool):
    if not is_valid:
        raise ConfigError(f'FederatedHook.{name}', f'got {value!r}',
                          f'use {wanted}')


def build_part(registry: Registry, config: dict, name: str):
    """Build a part of the federation from its config.

    Args:
        registry (Registry): Of its kind.
        config (dict): Its config.
        name (str): The hook's argument, for messages.

    Raises:
        ConfigError: If there is no such type, or its arguments do not fit.
    """
    kind = config.get('type') if isinstance(config, dict) else None
    if isinstance(kind, str):
        kind = registry.get(kind)
    _check(
        name, config, 'a dict with one of the types ' +
        ', '.join(sorted(registry.module_dict)), kind is not None)
    try:
        return registry.build(config)
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f'FederatedHook.{name}', str(error),
                          'see its documentation') from None


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
        runner (Runner): Before its training.

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


def check_parts(hook):
    """Refuse parts of a federation that do not go together.

    Args:
        hook (FederatedHook): With its parts built.

    Raises:
        ConfigError: If the aggregator needs samples that are not reserved or
            more clients, or aggregator, local objective or clients are not
            for such rounds.
    """
    name = type(hook.aggregator).__name__
    if hook.aggregator.needs_proxy and not hook.proxy_samples:
        raise ConfigError('FederatedHook.proxy_samples',
                          f'{name} needs samples on the server',
                          'set it, e.g. to 64')
    if hook.proxy_samples and not hook.aggregator.needs_proxy:
        raise ConfigError('FederatedHook.proxy_samples',
                          f'{name} needs no samples on the server',
                          'leave it out')
    if not hook.asynchronous:
        _check_synchronous(hook, name)
        return
    if not hook.aggregator.is_asynchronous:
        raise ConfigError('FederatedHook.aggregator',
                          f'{name} needs the updates of a round together',
                          'with asynchronous=True use StalenessAware')
    if hook.parallel == 'clients':
        raise ConfigError('FederatedHook.parallel',
                          'asynchronous clients train one after the other',
                          "use 'batches'")
    objective = hook.local_objective
    if objective and not objective.is_asynchronous:
        raise ConfigError('FederatedHook.local_objective',
                          f'{type(objective).__name__} needs synchronous '
                          'rounds', 'use asynchronous=False')
    if hook.clients[0].samples_per_second is None:
        raise ConfigError('FederatedHook.clients',
                          'asynchronous clients need a speed',
                          'give each its samples_per_second')


def _check_synchronous(hook, name: str):
    if hook.aggregator.is_asynchronous:
        raise ConfigError('FederatedHook.aggregator',
                          f'{name} takes updates one by one',
                          'use asynchronous=True')
    present = count_participants(hook.client_fraction, len(hook.clients))
    if present < hook.aggregator.min_clients:
        raise ConfigError(
            'FederatedHook.clients', f'{present} take part in a round, but '
            f'{name} needs {hook.aggregator.min_clients}',
            'add clients or raise client_fraction')
