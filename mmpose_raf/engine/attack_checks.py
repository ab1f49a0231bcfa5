"""Attacks that cannot be carried out."""

from typing import Sequence

from mmpose_raf.attacks import SampleAttack, UpdateAttack, build_attacks
from mmpose_raf.datasets.client import Client
from mmpose_raf.errors import ConfigError
from .settings_checks import KEY


def check_update_attacks(clients: Sequence[Client], comes_in_turn: bool):
    """Refuse attacks that look at what the others send, if they cannot.

    Args:
        clients (list[Client]): The clients.
        comes_in_turn (bool): Whether clients are synchronous and train one
            after the other.

    Raises:
        ConfigError: If one cannot.
    """
    for index, client in enumerate(clients):
        field = f'{KEY}.clients[{index}].attack'
        for attack in build_attacks(client.attacks, UpdateAttack, field):
            if attack.needs_others and not comes_in_turn:
                raise ConfigError(
                    field, f'{type(attack).__name__} looks at the updates of '
                    'the round', 'use it with synchronous clients that train '
                    "one after the other (execution.parallel='batches')")


def check_sample_attacks(client: Client, metainfo: dict):
    """Refuse attacks that make no sense on a client's dataset.

    Args:
        client (Client): The client.
        metainfo (dict): That of its dataset.

    Raises:
        ConfigError: If one does not.
    """
    field = f'{KEY}.clients: client {client.name!r}'
    for attack in build_attacks(client.attacks, SampleAttack, field):
        try:
            attack.check(metainfo)
        except ValueError as error:
            raise ConfigError(f'{field}: {type(attack).__name__}', str(error),
                              'use another attack') from error
