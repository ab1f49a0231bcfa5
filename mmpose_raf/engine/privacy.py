"""Client-level differential privacy: what it goes with, what it has cost."""

from importlib.util import find_spec
from typing import Optional

from mmengine.runner import Runner
from torch import nn

from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import (Aggregator, DPFedAvg, LocalObjective,
                                   Server)
from .personal_layers import PersonalLayers
from .settings_checks import KEY

LIBRARY = 'dp_accounting'


def check_private_parts(aggregator: Aggregator,
                        objective: Optional[LocalObjective]):
    """Refuse what would make the noise of :class:`DPFedAvg` worthless.

    Raises:
        ConfigError: If another aggregator hands updates on to it, or the
            objective's server side makes something of them that clients are
            sent.
    """
    then = getattr(aggregator, 'then', None)
    while then is not None:
        if isinstance(then, DPFedAvg):
            raise ConfigError(
                f'{KEY}.aggregator.then', 'what is done before DPFedAvg may '
                'let one client change the updates of others',
                'use DPFedAvg alone; it clips by itself')
        then = getattr(then, 'then', None)
    if not isinstance(aggregator, DPFedAvg) or objective is None:
        return
    kind = type(objective)
    if kind.finish_round is not LocalObjective.finish_round or (
            kind.download is not LocalObjective.download):
        raise ConfigError(
            f'{KEY}.local_objective', f'{kind.__name__} tells clients what '
            'others have sent, without noise',
            'with DPFedAvg use one that is the clients\' alone, e.g. FedProx')


def check_private_model(model: nn.Module, aggregator: Aggregator,
                        local_params) -> None:
    """Refuse a model of which more is shared than DPFedAvg protects.

    Args:
        model (nn.Module): The model, not wrapped.
        aggregator (Aggregator): The federation's.
        local_params (str | tuple[str]): See :class:`FederationSettings`.

    Raises:
        ConfigError: If a shared entry is not trained.
    """
    if not isinstance(aggregator, DPFedAvg):
        return
    personal = PersonalLayers(model, local_params, 'cpu')
    trained = set(personal.trained())
    for name in personal.shared(model.state_dict()):
        if name not in trained:
            raise ConfigError(
                f'{KEY}.local_params', f'{name!r} is shared but not trained: '
                'DPFedAvg protects what is trained',
                "keep it with the clients, e.g. local_params='norm' for "
                "BatchNorm's statistics")


def check_accountant(aggregator: Aggregator):
    """Refuse a server that cannot count the budget; clients need not.

    Raises:
        ConfigError: If the library for it is missing.
    """
    if isinstance(aggregator, DPFedAvg) and find_spec(LIBRARY) is None:
        raise ConfigError(
            LIBRARY, 'it is not installed',
            "install it with `pip install 'mmpose_raf[privacy]'`"
            ', DPFedAvg counts its budget with it')


def log_privacy(runner: Runner, server: Server):
    """Log the budget that the rounds so far have cost, if there is one.

    Args:
        runner (Runner): The runner.
        server (Server): Knows how often each client was asked; whether it
            answered does not count.
    """
    aggregator = server.aggregator
    if not isinstance(aggregator, DPFedAvg) or not server.num_requests:
        return
    rounds = max(server.num_requests.values())
    epsilon = epsilon_of(aggregator.noise_multiplier, rounds, aggregator.delta)
    runner.logger.info(
        f'Privacy: epsilon {epsilon:.4g} at delta {aggregator.delta:g}; most '
        f'trainings of a client: {rounds}')
    runner.visualizer.add_scalars({'federation/epsilon': epsilon},
                                  step=runner.epoch + 1)


def epsilon_of(noise_multiplier: float, rounds: int, delta: float) -> float:
    """The epsilon of Gaussian mechanisms in a row, by Renyi accounting.

    Args:
        noise_multiplier (float): z of each.
        rounds (int): How many.
        delta (float): Of (epsilon, delta).

    Returns:
        float: An upper bound, as dp-accounting computes it (Mironov, CSF
        2017).
    """
    import dp_accounting
    from dp_accounting import rdp
    accountant = rdp.RdpAccountant()
    accountant.compose(dp_accounting.GaussianDpEvent(noise_multiplier), rounds)
    return accountant.get_epsilon(delta)
