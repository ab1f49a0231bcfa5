"""Checks of what a config passes to the hook."""

from mmengine.config import Config
from mmengine.registry import Registry

from mmpose_raf.datasets.participation import count_participants
from mmpose_raf.errors import ConfigError


def is_int(value) -> bool:
    """Whether a value is an integer; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_argument(value, name: str, wanted: str, is_valid: bool):
    """Refuse an argument of ``FederatedHook``.

    Args:
        value: The argument.
        name (str): Its name.
        wanted (str): What it should be, for the message.
        is_valid (bool): Whether it is.

    Raises:
        ConfigError: If it is not.
    """
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
    check_argument(
        config, name, 'a dict with one of the types ' +
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
