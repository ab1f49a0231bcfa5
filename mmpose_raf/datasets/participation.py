"""Who takes part in a round, as a config says it."""

from dataclasses import dataclass
from numbers import Real
from typing import List, Sequence, Tuple, Union

from mmpose_raf.errors import ConfigError
from .client import Client
from .seeding import Stream, draw_from

# The probability to be there, or the rounds (first, last).
Rule = Union[float, Tuple[Tuple[int, int], ...]]

KEYS = ('fraction', 'presence')


@dataclass(frozen=True)
class Participation:
    """Which clients are there, and how many of them train.

    Args:
        presence (tuple): For each client the probability with which it is
            there in a round, or the rounds ``((first, last), ...)``, counted
            from 1 as in the log and both included, in which it is.
        fraction (float): Share of the clients that train in a round (or, if
            updates are asynchronous, at a time), in (0, 1]; at least one
            does, if it is there. Defaults to 1.
    """

    presence: Tuple[Rule, ...]
    fraction: float = 1.

    @classmethod
    def of_all(cls, num_clients: int) -> 'Participation':
        """All clients in all rounds."""
        return cls((1., ) * num_clients)

    @property
    def num_participants(self) -> int:
        """int: Clients in a round (or, if asynchronous, at a time)."""
        return max(1, round(self.fraction * len(self.presence)))

    def present(self, round_: int, seed: int) -> List[int]:
        """Indices of the clients that are there, ascending.

        Args:
            round_ (int): The round, counted from 0.
            seed (int): Seed of the draws.
        """
        draws = draw_from(seed, Stream.PRESENCE, round_).random(
            len(self.presence))
        return [
            client for client, rule in enumerate(self.presence)
            if (draws[client] < rule if isinstance(rule, float) else any(
                first <= round_ + 1 <= last for first, last in rule))
        ]


def parse_participation(config: Union[None, float, dict],
                        clients: Sequence[Client],
                        field: str) -> Participation:
    """Check and parse what a config says about participation.

    Args:
        config (float | dict, optional): The ``fraction`` alone, or a dict of
            it and ``presence``: one probability for all clients, or for some
            names a probability or rounds, see :class:`Participation`; who is
            not named is always there.
        clients (list[Client]): The clients.
        field (str): Where it stands in the config, for messages.

    Raises:
        ConfigError: If it is not as described.
    """
    if not isinstance(config, dict):
        config = dict(fraction=1. if config is None else config)
    for key in config:
        if key not in KEYS:
            raise ConfigError(f'{field}.{key}', 'unknown key',
                              f'its keys are {", ".join(KEYS)}')
    fraction = config.get('fraction', 1.)
    if not _is_share(fraction):
        raise ConfigError(field, f'got {fraction!r}',
                          'use a share of the clients in (0, 1]')
    presence = _by_name(
        config.get('presence', 1.), [client.name for client in clients],
        f'{field}.presence')
    return Participation(presence, float(fraction))


def _by_name(rules, names: List[str], field: str) -> Tuple[Rule, ...]:
    if not isinstance(rules, dict):
        rules = dict.fromkeys(names, rules)
    for name in rules:
        if name not in names:
            raise ConfigError(f'{field}.{name}', 'there is no such client',
                              f'the clients are {", ".join(names)}')
    return tuple(
        _parse_rule(rules.get(name, 1.), f'{field}.{name}') for name in names)


def _parse_rule(rule, field: str) -> Rule:
    if _is_share(rule):
        return float(rule)
    is_schedule = isinstance(rule, (list, tuple)) and rule and all(
        isinstance(part, (list, tuple)) and len(part) == 2 and all(
            isinstance(end, int) for end in part) and 1 <= part[0] <= part[1]
        for part in rule)
    if not is_schedule:
        raise ConfigError(
            field, f'got {rule!r}', 'use a probability in (0, 1], or the '
            'rounds [(first, last), ...] in which it is there, from 1')
    return tuple(tuple(part) for part in rule)


def _is_share(value) -> bool:
    return isinstance(
        value, Real) and not isinstance(value, bool) and 0 < value <= 1
