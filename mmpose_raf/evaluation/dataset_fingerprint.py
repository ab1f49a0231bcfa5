"""Tells datasets apart."""

import hashlib

from mmpose_raf.datasets.partitioners.annotations import (read_annotation,
                                                          read_box_sizes)


def dataset_fingerprint(dataset) -> str:
    """Digest of the persons of a dataset: their ids and boxes, in order.

    Args:
        dataset (BaseDataset): A top-down dataset.
    """
    digest = hashlib.sha256()
    for index in range(len(dataset)):
        annotation = read_annotation(dataset, index)
        digest.update(repr((annotation['img_id'], annotation['id'])).encode())
    digest.update(read_box_sizes(dataset).astype('<f8').tobytes())
    return digest.hexdigest()
