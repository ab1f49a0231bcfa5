"""From a runner's data loader to the federation's."""

from typing import List, Sequence, Tuple

import numpy as np
from mmengine.dist import get_dist_info
from mmengine.registry import DATASETS
from torch.utils.data import DataLoader

from mmpose_raf.datasets.client import Client
from mmpose_raf.datasets.client_batch_sampler import ClientBatchSampler
from mmpose_raf.datasets.federated_dataset import FederatedDataset
from mmpose_raf.datasets.participation import Participation
from mmpose_raf.datasets.partitioners import BasePartitioner
from mmpose_raf.datasets.partitioners.annotations import DATASET_FIELD
from mmpose_raf.errors import ConfigError
from .dataloaders import rebuild_dataloader


def share_out(dataset, clients: Sequence[Client], partitioner: BasePartitioner,
              seed: int) -> Tuple[list, List[np.ndarray]]:
    """Give every client its samples.

    Args:
        dataset (BaseDataset): The training dataset.
        clients (list[Client]): The clients.
        partitioner (BasePartitioner): What shares out the training dataset,
            unless the clients have datasets of their own.
        seed (int): Seed of the partition.

    Returns:
        tuple[list, list[np.ndarray]]: The dataset that each client reads and
        the indices that it holds.

    Raises:
        ConfigError: If a client would have no samples, or a dataset no
            pipeline of its own.
    """
    if clients[0].dataset is not None:
        datasets = [DATASETS.build(client.dataset) for client in clients]
        indices = [np.arange(len(own)) for own in datasets]
    else:
        datasets = [dataset] * len(clients)
        indices = partitioner.partition(dataset, clients, seed)
    for client, own in zip(clients, indices):
        if len(own) == 0:
            raise ConfigError(
                f'FederatedHook.clients: client {client.name!r}',
                'it has no samples',
                'change its input_size, the partitioner or its dataset')
    for own in datasets:
        if not hasattr(own, 'pipeline'):
            raise ConfigError(DATASET_FIELD,
                              f'{type(own).__name__} has no pipeline',
                              "use MMPose's CombinedDataset")
    return datasets, indices


def build_federated_dataloader(dataloader: DataLoader,
                               clients: Sequence[Client], datasets: list,
                               indices: Sequence[np.ndarray], sigma_mode: str,
                               local_epochs: int, client_fraction: float,
                               seed: int) -> DataLoader:
    """Build the loader of a round with the settings of a plain one.

    Args:
        dataloader (DataLoader): The loader that MMEngine built, from which
            batch size, workers and the like are taken.
        clients (list[Client]): The clients.
        datasets (list[BaseDataset]): The dataset that each client reads.
        indices (list[np.ndarray]): The samples that each client holds.
        sigma_mode (str): See :class:`FederatedDataset`.
        local_epochs (int): See :class:`ClientBatchSampler`.
        client_fraction (float): See :class:`Participation`.
        seed (int): Seed of participation, order and augmentation.

    Raises:
        ConfigError: If the loader has no batch size, or a client not one
            batch.
    """
    if dataloader.batch_size is None:
        raise ConfigError('train_dataloader.batch_sampler', 'it is set',
                          'leave it out: the federation batches by client')
    rank, world_size = get_dist_info()
    sampler = ClientBatchSampler(
        clients,
        indices,
        batch_size=dataloader.batch_size,
        local_epochs=local_epochs,
        participation=Participation(len(clients), client_fraction, seed),
        seed=seed,
        drop_last=dataloader.drop_last,
        rank=rank,
        world_size=world_size)
    for index, client in enumerate(clients):
        if sampler.has_empty_part(index):
            raise ConfigError(
                'train_dataloader.batch_size',
                f'client {client.name!r} has {len(indices[index])} samples '
                f'at {client.resolution} and thus no whole batch of each',
                'lower it, or drop drop_last')
    return rebuild_dataloader(
        dataloader,
        FederatedDataset(clients, datasets, indices, sigma_mode),
        batch_sampler=sampler)
