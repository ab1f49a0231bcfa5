"""What a partition looks like, for the log and for the checkpoint."""

import hashlib
import json
from typing import Any, Sequence

import numpy as np

from mmpose_raf.tables import render_table
from .annotations import read_box_sizes

COLUMNS = ('client', 'resolution (HxW)', 'samples', 'median box (WxH px)',
           'share')


def describe_partition(datasets: Sequence[Any], clients: Sequence[Any],
                       indices: Sequence[np.ndarray]) -> str:
    """Describe a partition in a table.

    Args:
        datasets (Sequence[BaseDataset]): For each client the dataset that it
            reads; the same one for all where it was partitioned.
        clients (Sequence[Client]): The clients.
        indices (Sequence[np.ndarray]): For each client the indices into its
            dataset that it holds.

    Returns:
        str: One line per client: its name, its input size, the number of its
        samples, the medians of its boxes' widths and heights in source
        pixels, and its share of all clients' samples.
    """
    total = sum(len(own) for own in indices)
    rows = []
    for dataset, client, own in zip(datasets, clients, indices):
        share = f'{len(own) / total:.1%}' if total else '-'
        rows.append((client.name, client.resolution, str(len(own)),
                     _median_box(dataset, own), share))
    return render_table(COLUMNS, rows)


def partition_fingerprint(datasets: Sequence[Any], clients: Sequence[Any],
                          indices: Sequence[np.ndarray]) -> str:
    """Compute what tells two partitions apart.

    Args:
        datasets (Sequence[BaseDataset]): For each client the dataset that it
            reads.
        clients (Sequence): The clients, with the attributes ``name`` (str)
            and ``input_size`` (tuple of w and h in pixels).
        indices (Sequence[np.ndarray]): For each client the indices that it
            holds.

    Returns:
        str: The SHA-256 of the names, input sizes, indices and sizes of the
        annotated boxes in the order of the clients, as 64 hexadecimal
        digits. The boxes tell other annotations of the same number apart.
    """
    digest = hashlib.sha256()
    for dataset, client, own in zip(datasets, clients, indices):
        input_size = [int(side) for side in client.input_size]
        # The length makes it known where a client's indices end.
        head = json.dumps([client.name, input_size, len(own)])
        digest.update(head.encode())
        # The same bytes on every platform.
        digest.update(np.asarray(own, dtype='<i8').tobytes())
        digest.update(read_box_sizes(dataset, own).astype('<f8').tobytes())
    return digest.hexdigest()


def _median_box(dataset: Any, indices: np.ndarray) -> str:
    """Tell the median box width and height of some samples."""
    if len(indices) == 0:
        return '-'
    width, height = np.median(read_box_sizes(dataset, indices), axis=0)
    return f'{width:.0f}x{height:.0f}'
