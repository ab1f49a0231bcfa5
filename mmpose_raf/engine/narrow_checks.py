"""What does not go together with clients that hold parts of the model."""

from typing import Optional, Sequence

from mmengine.dist import get_world_size
from mmengine.hooks import EMAHook

from mmpose_raf.attacks import UpdateAttack, build_attacks
from mmpose_raf.datasets.client import Client
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import Aggregator, LocalObjective
from .settings_checks import KEY


def check_narrow_clients(clients: Sequence[Client], aggregator: Aggregator,
                         objective: Optional[LocalObjective],
                         has_personal: bool, has_adapters: bool):
    """Refuse settings that narrower clients cannot have.

    Args:
        clients (list[Client]): All clients.
        aggregator (Aggregator): The server's rule.
        objective (LocalObjective, optional): The clients' objective.
        has_personal (bool): Whether layers stay with the clients.
        has_adapters (bool): Whether the clients train adapters.

    Raises:
        ConfigError: If there are such clients, and a setting is none for
            them.
    """
    narrow = [index for index, client in enumerate(clients)
              if client.width != 1]
    if not narrow:
        return
    field = f'{KEY}.clients[{narrow[0]}].width'
    name = type(aggregator).__name__
    if not aggregator.takes_submodels:
        raise ConfigError(field, f'{name} averages whole models',
                          "use aggregator=dict(type='HeteroFL') or the like")
    if has_adapters:
        raise ConfigError(f'{KEY}.adapters', 'they adapt the whole model, '
                          'which a narrower client does not have',
                          'leave width out')
    if objective and not objective.takes_submodels:
        raise ConfigError(
            f'{KEY}.local_objective', f'{type(objective).__name__} needs '
            'clients that hold the whole model', 'leave width out')
    if has_personal and aggregator.is_moving:
        raise ConfigError(
            f'{KEY}.local_params', f'with {name} a client holds other parts '
            'of the model in every round', 'use HeteroFL, or leave it out')
    for index, client in enumerate(clients):
        attacks = build_attacks(client.attacks, UpdateAttack, field)
        if any(attack.needs_others for attack in attacks):
            raise ConfigError(
                f'{KEY}.clients[{index}].attack', 'it compares updates, which '
                'are of different width', 'use another attack')


def check_stand_ins(runner):
    """Refuse a runner whose clients cannot train models of their own.

    Args:
        runner (Runner): The runner.

    Raises:
        ConfigError: If it averages over iterations, or has several processes
            for one client.
    """
    if any(isinstance(hook, EMAHook) for hook in runner.hooks):
        raise ConfigError('custom_hooks.EMAHook',
                          'clients train other models than the global one',
                          'leave it out')
    if get_world_size() > 1:
        raise ConfigError(
            f'{KEY}.clients', 'narrower clients, or adapters, are trained in '
            'one process', 'start one process, or leave width and adapters '
            'out')
