"""What a config says about the federation, checked once and then frozen."""

from dataclasses import dataclass, fields
from typing import Any, Dict, List, Optional, Tuple, Union

from mmengine.config import Config

from mmpose_raf.building import build
from mmpose_raf.datasets.client import Client, parse_clients
from mmpose_raf.datasets.participation import (Participation,
                                               parse_participation)
from mmpose_raf.datasets.partitioners import BasePartitioner
from mmpose_raf.defences import LocalDefence
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import Aggregator, LocalObjective
from mmpose_raf.models.lora import LoRA
from mmpose_raf.registry import (ADAPTERS, LOCAL_DEFENCES, LOCAL_OBJECTIVES,
                                 PARTITIONERS)
from .attack_checks import check_update_attacks
from .execution import Execution
from .narrow_checks import check_narrow_clients
from .nested_aggregators import build_aggregator, name_of
from .privacy import check_private_parts
from .settings_checks import (KEY, check_names, check_values, parse_patterns,
                              parse_defence, parse_seed)

#: The hook that may have the settings as arguments.
HOOK = 'FederatedHook'


@dataclass(frozen=True)
class FederationSettings:
    """Settings of a federation.

    They stand in a config under ``federation``, or as the arguments of
    :class:`FederatedHook`, with the names below; ``federation`` overrides
    the arguments. ``seed`` is the config's ``randomness.seed``, 0 if there
    is none.

    Args:
        clients (tuple[Client]): In a config ``dict(name=..., input_size=(w,
            h))`` for each client; a list of sizes is shared evenly by its
            samples, as if from several cameras (one such client is
            centralised training on mixed resolutions); a ``dataset`` config
            in each replaces the partition, and ``capture_size=(w, h)``
            simulates a smaller camera, see :class:`CapturedTopdownAffine`.
            Asynchronous aggregators need each client's
            ``samples_per_second``. ``attack=dict(type='SignFlip')``, or a
            list of attacks, makes a client hostile, see
            :mod:`mmpose_raf.attacks`. ``width=0.5`` lets it train a part of
            the model, see :class:`HeteroFL`.
        partitioner (dict): Config of what shares out the training dataset.
            Defaults to ``dict(type='RandomPartitioner')``.
        aggregator (dict): Config of the server's rule. Defaults to
            ``dict(type='FedAvg')``, the uniform mean. With an asynchronous
            one (``StalenessAware``) updates renew the global weights as they
            arrive on a simulated clock, and a round is as many arrivals as
            clients train at a time.
        local_objective (dict, optional): Config of what is added to the
            clients' loss, e.g. ``dict(type='FedProx', mu=0.01)``. Defaults
            to None.
        local_defence (tuple[dict]): Configs of what honest clients do to
            their batches against attacks, one after the other, e.g.
            ``dict(type='AdversarialTraining')`` or a list of them. Defaults
            to ().
        adapters (dict, optional): Config of adapters that the clients train
            instead of the whole model, e.g. ``dict(type='LoRA', rank=8)``.
            Defaults to None.
        local_epochs (int): Passes of a client over its samples in a round.
            Defaults to 1.
        local_params (str | tuple[str]): Entries of the model that stay with
            each client and are never averaged: ``'norm'`` for all
            normalisation layers (FedBN), or patterns of names in the state
            dict such as ``['head.*']``. The global model keeps its first
            values there; see ``tools/export_client.py`` for the clients'
            own models. Defaults to ().
        participation (Participation): Who takes part in a round: a share of
            the clients in (0, 1], or ``dict(fraction=..., presence=...)``,
            where ``presence`` is the probability, in (0, 1], that a client
            is there in a round, one for all or one by name, or, by name, the
            rounds ``[(first, last), ...]``, from 1, in which it is. Defaults
            to 1: all always do.
        optimizer_state (str): ``'keep'`` each client's moments between its
            rounds, as RAF's authors do, or ``'reset'`` them. Defaults to
            ``'keep'``.
        keep_updates (bool): Whether all updates of a round are kept to its
            end, so that the log has the mean cosine of each with the others.
            Without it FedAvg and the server optimizers add them up as they
            come, and memory does not grow with the clients. Defaults to
            True.
        payload (str): How weights travel: ``'float32'`` as they are, or in
            fewer bytes as ``'float16'``, ``'bfloat16'`` or ``'int8'``, see
            :class:`Payload`. Defaults to ``'float32'``.
        max_refusals (int): In how many rounds running the updates of a
            client may be refused, as they are not finite, until the run ends
            with an error. Defaults to 3.
        execution (Execution): On what the clients are trained, e.g.
            ``dict(parallel='clients')``.
        seed (int): Seed of partition, participation, order, augmentation
            and the model's randomness.
    """

    clients: Tuple[Client, ...]
    partitioner: dict
    aggregator: dict
    local_objective: Optional[dict]
    local_defence: Tuple[dict, ...]
    adapters: Optional[dict]
    local_epochs: int
    local_params: Union[str, Tuple[str, ...]]
    participation: Participation
    optimizer_state: str
    keep_updates: bool
    payload: str
    max_refusals: int
    execution: Execution
    seed: int

    @classmethod
    def of_config(cls,
                  cfg: Config,
                  arguments: Optional[dict] = None
                  ) -> Optional['FederationSettings']:
        """Read the settings of a whole config.

        Args:
            cfg (Config): The config of a run.
            arguments (dict, optional): Arguments of its ``FederatedHook``.
                Defaults to None: they are looked for in ``custom_hooks``.

        Returns:
            FederationSettings | None: None if it has no ``FederatedHook``.

        Raises:
            ConfigError: If it has two, or a setting is not what it may be.
        """
        if arguments is None:
            found = [
                dict(hook) for hook in cfg.get('custom_hooks') or ()
                if isinstance(hook, dict) and getattr(
                    hook.get('type'), '__name__', hook.get('type')) == HOOK
            ]
            if not found:
                return None
            if len(found) > 1:
                raise ConfigError('custom_hooks',
                                  f'there are {len(found)} {HOOK}s',
                                  'leave one')
            arguments = found[0]
            del arguments['type']
        seed = (cfg.get('randomness') or {}).get('seed')
        return cls.parse(
            _merge(arguments,
                   cfg.get(KEY) or {}), parse_seed(seed))

    @classmethod
    def parse(cls, config: Dict[str, Any], seed: int) -> 'FederationSettings':
        """Check settings and freeze them.

        Args:
            config (dict): The settings but ``seed`` by name.
            seed (int): The seed.

        Raises:
            ConfigError: If one is unknown or not what it may be, or two do
                not go together.
        """
        check_names(config, [
            field.name for field in fields(cls) if field.name != 'seed'
        ])
        check_values(config)
        clients = tuple(
            parse_clients(config.get('clients'), f'{KEY}.clients'))
        settings = cls(
            clients=clients,
            partitioner=config.get('partitioner',
                                   dict(type='RandomPartitioner')),
            aggregator=config.get('aggregator', dict(type='FedAvg')),
            local_objective=config.get('local_objective'),
            local_defence=parse_defence(config.get('local_defence', ())),
            adapters=config.get('adapters'),
            local_epochs=config.get('local_epochs', 1),
            local_params=parse_patterns(config.get('local_params', ())),
            participation=parse_participation(
                config.get('participation'), clients, f'{KEY}.participation'),
            optimizer_state=config.get('optimizer_state', 'keep'),
            keep_updates=config.get('keep_updates', True),
            payload=config.get('payload', 'float32'),
            max_refusals=config.get('max_refusals', 3),
            execution=Execution(**config.get('execution', {})),
            seed=seed)
        settings.build_partitioner()
        settings.build_local_defence()
        _check_together(settings)
        return settings

    @property
    def is_asynchronous(self) -> bool:
        """bool: Whether updates renew the global weights as they arrive."""
        return self.build_aggregator().is_asynchronous

    def build_partitioner(self) -> BasePartitioner:
        """Build what shares out the training dataset."""
        return build(PARTITIONERS, self.partitioner, f'{KEY}.partitioner')

    def build_aggregator(self) -> Aggregator:
        """Build the server's rule, in its first state."""
        return build_aggregator(self.aggregator, f'{KEY}.aggregator')

    def build_local_objective(self) -> Optional[LocalObjective]:
        """Build what is added to the clients' loss, in its first state."""
        if self.local_objective is None:
            return None
        return build(LOCAL_OBJECTIVES, self.local_objective,
                     f'{KEY}.local_objective')

    def build_local_defence(self) -> List[LocalDefence]:
        """Build what honest clients do to their batches."""
        return [
            build(LOCAL_DEFENCES, config, f'{KEY}.local_defence')
            for config in self.local_defence
        ]

    def build_adapters(self) -> Optional[LoRA]:
        """Build what adapts the clients' model, if anything does."""
        return self.adapters and build(ADAPTERS, self.adapters,
                                       f'{KEY}.adapters')

    def identity(self) -> dict:
        """What must be the same when a run is continued, as plain values."""
        return dict(
            clients=[[
                client.name, *map(list, client.input_sizes),
                *(['captured at', list(client.capture_size)]
                  if client.capture_size else []),
                *(['attack', repr(list(client.attacks))]
                  if client.attacks else []),
                *(['width', client.width] if client.width != 1 else [])
            ] for client in self.clients],
            partitioner=repr(sorted(self.partitioner.items())),
            aggregator=name_of(self.build_aggregator()),
            local_objective=self.local_objective
            and type(self.build_local_objective()).__name__,
            local_defence=repr(self.local_defence)
            if self.local_defence else None,
            adapters=self.adapters and repr(sorted(self.adapters.items())),
            local_epochs=self.local_epochs,
            local_params=self.local_params if isinstance(
                self.local_params, str) else list(self.local_params),
            participation=repr(self.participation),
            samples_per_second=[
                client.samples_per_second for client in self.clients
            ],
            seed=self.seed)


def _merge(arguments: dict, overriding: dict) -> dict:
    """Settings of which some, at any depth, are overridden."""
    merged = Config({KEY: arguments})
    merged.merge_from_dict({KEY: overriding})
    return merged[KEY].to_dict()


def _check_together(settings: FederationSettings):
    """Refuse parts of a federation that do not go together."""
    aggregator = settings.build_aggregator()
    objective = settings.build_local_objective()
    name = type(aggregator).__name__
    check_private_parts(aggregator, objective)
    check_update_attacks(
        settings.clients, not aggregator.is_asynchronous
        and settings.execution.parallel != 'clients')
    check_narrow_clients(settings.clients, aggregator, objective,
                         bool(settings.local_params),
                         settings.build_adapters() is not None)
    if not aggregator.is_asynchronous:
        if objective and objective.refresh_at is not None:
            raise ConfigError(
                f'{KEY}.local_objective', f'{type(objective).__name__} needs '
                'weights that are renewed while a client trains',
                f'use StalenessAware instead of {name}')
        present = settings.participation.num_participants
        if present < aggregator.min_clients:
            raise ConfigError(
                f'{KEY}.clients', f'{present} take part in a round, but '
                f'{name} needs {aggregator.min_clients}',
                'add clients or raise participation.fraction')
        return
    if settings.execution.parallel == 'clients':
        raise ConfigError(f'{KEY}.execution.parallel',
                          'asynchronous clients train one after the other',
                          "use 'batches'")
    if objective and not objective.is_asynchronous:
        raise ConfigError(
            f'{KEY}.local_objective', f'{type(objective).__name__} needs '
            'synchronous rounds', f'use another aggregator than {name}')
    if settings.clients[0].samples_per_second is None:
        raise ConfigError(f'{KEY}.clients',
                          'asynchronous clients need a speed',
                          'give each its samples_per_second')
