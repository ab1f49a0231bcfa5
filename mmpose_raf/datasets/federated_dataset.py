"""The training data of a federation as the clients see it."""

from typing import Any, List, NamedTuple, Sequence

import numpy as np
from mmengine.dataset import BaseDataset, Compose
from torch.utils.data import Dataset

from mmpose_raf.attacks import (SampleAttack, build_attacks,
                                insert_after_crop)
from .client import Client
from .resized_pipeline import retarget_pipeline
from .seeding import seeded


class SampleKey(NamedTuple):
    """What the batch sampler asks the dataset for.

    Args:
        client (int): Index of the client that trains on the sample.
        index (int): Index of the sample in the client's dataset.
        seed (int): Seed of its augmentation, in [0, 2**32).
        size (int): Index into the client's native sizes. Defaults to 0.
    """

    client: int
    index: int
    seed: int
    size: int = 0


class FederatedDataset(Dataset):
    """A view of one dataset (or one for each client), client by client.

    Nothing is copied: a sample is read from the dataset that holds it and
    goes through the pipeline at its client's native size. Its augmentation
    depends on its key alone, so that neither the number of workers nor an
    interruption changes a run. Every data sample carries the name of its
    client in its metainfo, as ``client``.

    Args:
        clients (list[Client]): The clients.
        datasets (list[BaseDataset]): The dataset that each client reads; one
            and the same where a partition of it is used.
        indices (list[np.ndarray]): The samples that each client holds.
        sigma_mode (str): See :func:`retarget_pipeline`.
    """

    def __init__(self, clients: Sequence[Client],
                 datasets: Sequence[BaseDataset],
                 indices: Sequence[np.ndarray], sigma_mode: str):
        self.clients = clients
        self.datasets = datasets
        self.indices = indices
        self.pipelines: List[List[Compose]] = [[
            Compose(
                insert_after_crop(
                    retarget_pipeline(dataset.pipeline.transforms, size,
                                      sigma_mode, client.capture_size),
                    build_attacks(client.attacks, SampleAttack,
                                  f'client {client.name!r}.attack')))
            for size in client.input_sizes
        ] for client, dataset in zip(clients, datasets)]

    @property
    def metainfo(self) -> dict:
        """dict: Meta information of the first client's dataset."""
        return self.datasets[0].metainfo

    def __len__(self) -> int:
        return sum(map(len, self.indices))

    def __getitem__(self, key: SampleKey) -> Any:
        """Load and augment the sample of a :class:`SampleKey`.

        Raises:
            RuntimeError: If the pipeline discards sample after sample.
        """
        dataset = self.datasets[key.client]
        pipeline = self.pipelines[key.client][key.size]
        index = key.index
        with seeded(key.seed):
            for _ in range(dataset.max_refetch + 1):
                data = pipeline(dataset.get_data_info(index))
                if data is not None:
                    break
                # As in MMEngine's datasets another sample takes its place,
                # but one of the same client.
                index = int(np.random.choice(self.indices[key.client]))
            else:
                raise RuntimeError(
                    f'the pipeline discarded {dataset.max_refetch + 1} '
                    f'samples of client {self.clients[key.client].name}')
        data['data_samples'].set_metainfo(
            dict(client=self.clients[key.client].name))
        return data
