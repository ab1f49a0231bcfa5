"""From a runner's data loader to the federation's."""

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

import numpy as np
from mmengine.dataset import pseudo_collate
from mmengine.dist import get_dist_info
from mmengine.registry import DATASETS
from torch.utils.data import DataLoader

from mmpose_raf.datasets.client import Client
from mmpose_raf.datasets.client_batch_sampler import ClientBatchSampler
from mmpose_raf.datasets.distributions import (keypoint_distributions,
                                               resolution_distributions)
from mmpose_raf.datasets.federated_dataset import FederatedDataset, SampleKey
from mmpose_raf.datasets.partitioners import partition_fingerprint
from mmpose_raf.datasets.partitioners.annotations import DATASET_FIELD
from mmpose_raf.datasets.proxy_samples import reserve_proxy
from mmpose_raf.datasets.schedule import (AsynchronousSchedule, Schedule,
                                          SynchronousSchedule)
from mmpose_raf.errors import ConfigError
from .attack_checks import check_sample_attacks
from .dataloaders import collate_stacked, rebuild_dataloader
from .federation_settings import FederationSettings
from .settings_checks import KEY


@dataclass(frozen=True)
class Shares:
    """Who holds which samples.

    Args:
        datasets (list[BaseDataset]): The dataset that each client reads.
        indices (list[np.ndarray]): The indices that each holds.
        proxy (list[list[SampleKey]]): What the server holds, in groups of
            one resolution each.
    """

    datasets: list
    indices: List[np.ndarray]
    proxy: List[List[SampleKey]]


def share_out(dataset, settings: FederationSettings) -> Shares:
    """Give every client its samples, and the server those it keeps.

    Args:
        dataset (BaseDataset): The training dataset.
        settings (FederationSettings): The federation. Its partitioner shares
            out the dataset, unless the clients have datasets of their own.

    Raises:
        ConfigError: If a client would have no samples, or a dataset no
            pipeline of its own.
    """
    clients = settings.clients
    if clients[0].dataset is not None:
        datasets = [DATASETS.build(client.dataset) for client in clients]
        indices = [np.arange(len(own)) for own in datasets]
    else:
        datasets = [dataset] * len(clients)
        indices = settings.build_partitioner().partition(
            dataset, clients, settings.seed)
    for client, own in zip(clients, indices):
        if len(own) == 0:
            raise ConfigError(
                f'{KEY}.clients: client {client.name!r}',
                'it has no samples',
                'change its input_size, the partitioner or its dataset')
    for own in datasets:
        if not hasattr(own, 'pipeline'):
            raise ConfigError(DATASET_FIELD,
                              f'{type(own).__name__} has no pipeline',
                              "use MMPose's CombinedDataset")
    for client, own in zip(clients, datasets):
        check_sample_attacks(client, own.metainfo)
    proxy: List[List[SampleKey]] = []
    num_proxy = settings.build_aggregator().proxy_samples
    if num_proxy:
        indices, proxy = reserve_proxy(indices, clients, num_proxy,
                                       settings.seed)
    return Shares(datasets, indices, proxy)


def share_of(client: int, dataset, settings: FederationSettings,
             is_own: bool) -> Shares:
    """Give one client its samples, where it is alone with them.

    Args:
        client (int): Its index.
        dataset (BaseDataset): The training dataset.
        settings (FederationSettings): The federation.
        is_own (bool): Whether that dataset is the client's alone. Otherwise
            it takes the client's part, or its own dataset of the config.

    Returns:
        Shares: In which the other clients hold nothing.

    Raises:
        ConfigError: If there are no samples.
    """
    configured = settings.clients[client].dataset
    if is_own or configured is not None:
        if not is_own:
            dataset = DATASETS.build(configured)
        own = np.arange(len(dataset))
    else:
        own = share_out(dataset, settings).indices[client]
    if len(own) == 0:
        raise ConfigError(
            f'client {settings.clients[client].name!r}', 'it has no samples',
            'give it an annotation file with persons in it')
    nothing = own[:0]
    return Shares([dataset] * len(settings.clients),
                  [own if index == client else nothing
                   for index in range(len(settings.clients))], [])


def fingerprint_of(shares: Shares, settings: FederationSettings) -> str:
    """Fingerprint of who holds which samples."""
    return partition_fingerprint(shares.datasets, settings.clients,
                                 shares.indices)


def build_schedule(settings: FederationSettings, shares: Shares) -> Schedule:
    """Build what says who trains when.

    Args:
        settings (FederationSettings): The federation.
        shares (Shares): Who holds which samples.
    """
    durations = None
    if settings.clients[0].samples_per_second is not None:
        durations = [
            settings.local_epochs * len(own) / client.samples_per_second
            for client, own in zip(settings.clients, shares.indices)
        ]
    if not settings.is_asynchronous:
        return SynchronousSchedule(settings.participation, durations,
                                   settings.seed)
    objective = settings.build_local_objective()
    return AsynchronousSchedule(
        settings.participation,
        durations,
        settings.seed,
        refresh_at=objective and objective.refresh_at)


def estimate_costs(clients: Sequence[Client], shares: Shares) -> List[float]:
    """How much work each client's samples are: their pixels."""
    costs = []
    for client, own in zip(clients, shares.indices):
        areas = [width * height for width, height in client.input_sizes]
        costs.append(len(own) * sum(areas) / len(areas))
    return costs


def count_distributions(name: Optional[str], clients: Sequence[Client],
                        shares: Shares) -> Dict[str, List[List[float]]]:
    """Count how the clients' samples are spread, if anybody asks.

    Args:
        name (str, optional): ``'resolution'`` or ``'keypoint'``.
        clients (list[Client]): The clients.
        shares (Shares): Who holds which samples.

    Returns:
        dict[str, list[list[float]]]: By that name the shares of each client.
    """
    if name == 'resolution':
        return {name: resolution_distributions(clients, shares.indices)}
    if name == 'keypoint':
        return {name: keypoint_distributions(shares.datasets, shares.indices)}
    return {}


@dataclass(frozen=True)
class ClientData:
    """What is known of the samples that a client holds.

    Args:
        num_samples (int): How many.
        num_iters (int): Its iterations in a round.
        distributions (dict[str, list[float]]): See :class:`ClientUpdate`.
    """

    num_samples: int
    num_iters: int
    distributions: Dict[str, List[float]]


def client_data(settings: FederationSettings, shares: Shares,
                sampler: ClientBatchSampler) -> Dict[str, ClientData]:
    """What the clients hold, by name.

    Args:
        settings (FederationSettings): The federation.
        shares (Shares): Who holds which samples.
        sampler (ClientBatchSampler): What makes batches of them.
    """
    distributions = count_distributions(
        settings.build_aggregator().distribution, settings.clients, shares)
    return {
        client.name: ClientData(
            len(shares.indices[index]), sampler.num_batches(index),
            {name: rows[index]
             for name, rows in distributions.items()})
        for index, client in enumerate(settings.clients)
    }


def build_federated_dataloader(
        dataloader: DataLoader,
        settings: FederationSettings,
        shares: Shares,
        schedule: Schedule,
        sigma_mode: str,
        owners: Optional[Sequence[int]] = None) -> DataLoader:
    """Build the loader of a round with the settings of a plain one.

    Args:
        dataloader (DataLoader): The loader that MMEngine built, from which
            batch size, workers and the like are taken.
        settings (FederationSettings): The federation.
        shares (Shares): Who holds which samples.
        schedule (Schedule): Who trains in which round.
        sigma_mode (str): See :class:`FederatedDataset`.
        owners (list[int], optional): See :class:`ClientBatchSampler`.

    Raises:
        ConfigError: If the loader has no batch size, or a client not one
            batch.
    """
    if dataloader.batch_size is None:
        raise ConfigError('train_dataloader.batch_sampler', 'it is set',
                          'leave it out: the federation batches by client')
    clients, indices = settings.clients, shares.indices
    rank, world_size = get_dist_info()
    sampler = ClientBatchSampler(
        clients,
        indices,
        batch_size=dataloader.batch_size,
        local_epochs=settings.local_epochs,
        schedule=schedule,
        seed=settings.seed,
        drop_last=dataloader.drop_last,
        rank=rank,
        world_size=world_size,
        owners=owners)
    for index, client in enumerate(clients):
        # Where a client is alone, the others hold nothing.
        if len(indices[index]) and sampler.has_empty_part(index):
            raise ConfigError(
                'train_dataloader.batch_size',
                f'client {client.name!r} has {len(indices[index])} samples '
                f'at {client.resolution} and thus no whole batch of each',
                'lower it, or drop drop_last')
    is_plain = getattr(dataloader.collate_fn, 'func',
                       dataloader.collate_fn) is pseudo_collate
    return rebuild_dataloader(
        dataloader,
        FederatedDataset(clients, shares.datasets, indices, sigma_mode),
        batch_sampler=sampler,
        collate_fn=collate_stacked if is_plain else dataloader.collate_fn)
