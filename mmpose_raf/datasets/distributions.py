"""How the samples of the clients are spread."""

from typing import Dict, List, Optional, Sequence

import numpy as np

from mmpose_raf.errors import ConfigError
from .client import Client
from .partitioners.annotations import read_annotation


def resolution_distributions(clients: Sequence[Client],
                             indices: Sequence[np.ndarray]
                             ) -> List[List[float]]:
    """Shares of each client's samples at each resolution of the federation.

    Args:
        clients (list[Client]): The clients.
        indices (list[np.ndarray]): The samples that each holds.

    Returns:
        list[list[float]]: For each client its share at each input size of
        any client, in the order in which they occur; each adds up to 1.
    """
    sizes = _sizes(clients)
    result = []
    for client, own in zip(clients, indices):
        counts = dict.fromkeys(sizes, 0)
        for part, size in enumerate(client.input_sizes):
            counts[size] += len(client.part(own, part))
        # Who holds nothing, as the others do where one is alone, has none.
        result.append([
            count / len(own) for count in counts.values()
        ] if len(own) else [])
    return result


def _sizes(clients: Sequence[Client]) -> list:
    return list(
        dict.fromkeys(size for client in clients
                      for size in client.input_sizes))


def num_shares(name: Optional[str], clients: Sequence[Client],
               num_keypoints: int) -> Dict[str, int]:
    """How many shares there are, without a look at the samples.

    Args:
        name (str, optional): ``'resolution'`` or ``'keypoint'``.
        clients (list[Client]): The clients.
        num_keypoints (int): K.

    Returns:
        dict[str, int]: By that name the number; empty if there is none.
    """
    counts = dict(resolution=len(_sizes(clients)), keypoint=num_keypoints)
    return {name: counts[name]} if name else {}


def keypoint_distributions(datasets: Sequence,
                           indices: Sequence[np.ndarray]
                           ) -> List[List[float]]:
    """Shares of each keypoint among a client's annotated keypoints.

    Args:
        datasets (list[BaseDataset]): The dataset that each client reads.
        indices (list[np.ndarray]): The samples that each holds.

    Returns:
        list[list[float]]: For each client K shares that add up to 1.

    Raises:
        ConfigError: If a client has no annotated keypoint.
    """
    result = []
    for dataset, own in zip(datasets, indices):
        if len(own) == 0:
            result.append([])
            continue
        counts = sum(
            np.asarray(
                read_annotation(dataset,
                                int(index))['keypoints_visible']).reshape(
                                    1, -1)[0] > 0 for index in own)
        if not counts.any():
            raise ConfigError('train_dataloader.dataset',
                              'a client has no annotated keypoint',
                              "use distribution='resolution'")
        result.append((counts / counts.sum()).tolist())
    return result
