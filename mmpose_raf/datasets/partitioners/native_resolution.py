from numbers import Real
from typing import Any, List, Optional, Sequence

import numpy as np

from mmpose_raf.registry import PARTITIONERS
from mmpose_raf.sizes import Size, size_name
from .annotations import read_box_sizes
from .base import BasePartitioner, SampleCounts, cut, even_counts


@PARTITIONERS.register_module()
class NativeResolutionPartitioner(BasePartitioner):
    """Give each sample to the client whose camera could have taken it.

    The crop of a top-down model is the box, extended to the aspect ratio of
    the model's input and padded. Its height in pixels of the source image is
    the sample's native height; it depends on the client's aspect ratio. A
    sample goes to the client of the largest input size (by height, then by
    width) whose height is at most the sample's native height there, so
    nothing is enlarged. Samples that are too small for every client, and
    these alone, are enlarged: the clients of the smallest input size hold
    them. Clients of one input size share its samples at random and evenly.
    Where a client has a ``capture_size``, that counts in place of its input
    size: the pixels that its camera has taken.

    In `Mitigating Resolution-Drift in Federated Learning
    <https://arxiv.org/abs/2507.23461>`_ (Lim et al.) samples drawn at random
    (:class:`RandomPartitioner`) are brought to the resolution of the client;
    here they have it by themselves.

    Args:
        padding (float): Size of the crop relative to the box, > 0, as
            ``padding`` of the pipeline's ``GetBBoxCenterScale``. Defaults to
            1.25, as there.
        samples_per_client (int | Sequence[int], optional): How many samples
            each client keeps of its share, drawn at random, one number for
            all or one for each in the order of the clients. Defaults to
            None, i.e. all.

    Raises:
        ConfigError: If an argument is not as described.
    """

    def __init__(self,
                 *,
                 padding: float = 1.25,
                 samples_per_client: Optional[SampleCounts] = None) -> None:
        super().__init__(samples_per_client=samples_per_client)
        is_number = isinstance(padding, Real) and not isinstance(padding, bool)
        if not is_number or not 0 < padding < float('inf'):
            raise self.error('padding', f'got {padding!r}',
                             'set a finite number > 0')
        self.padding = float(padding)

    def assign(self, dataset: Any, clients: Sequence[Any],
               rng: np.random.Generator) -> List[np.ndarray]:
        """Apply the rule; see :meth:`BasePartitioner.assign`."""
        client_sizes = [tuple(client.camera_size) for client in clients]
        sizes = sorted(set(client_sizes), key=lambda size: size[::-1])
        ranks = self._rank_samples(read_box_sizes(dataset), sizes)
        shares = [np.empty(0, dtype=np.int64)] * len(clients)
        for rank, size in enumerate(sizes):
            holders = [i for i, own in enumerate(client_sizes) if own == size]
            samples = rng.permutation(np.flatnonzero(ranks == rank))
            counts = even_counts(len(samples), len(holders))
            for holder, share in zip(holders, cut(samples, counts)):
                shares[holder] = share
        return self._limit(shares, clients)

    def _rank_samples(self, box_sizes: np.ndarray,
                      sizes: Sequence[Size]) -> np.ndarray:
        """Find the input size that each sample belongs to.

        Args:
            box_sizes (np.ndarray): Box sizes (w, h) in source pixels, in
                shape (N, 2).
            sizes (Sequence[tuple]): Input sizes (w, h), ascending.

        Returns:
            np.ndarray: Indices into ``sizes`` in shape (N, ).
        """
        ranks = np.zeros(len(box_sizes), dtype=np.int64)
        for rank, size in enumerate(sizes):
            fits = native_heights(box_sizes, size, self.padding) >= size[1]
            ranks[fits] = rank
        return ranks

    def _limit(self, shares: List[np.ndarray],
               clients: Sequence[Any]) -> List[np.ndarray]:
        """Cut the shuffled shares to the requested counts."""
        counts = self.requested_counts(clients)
        if counts is None:
            return shares
        for client, share, count in zip(clients, shares, counts):
            if count > len(share):
                raise self.error(
                    'samples_per_client',
                    f'it asks for {count} samples for client '
                    f'{client.name!r} ({size_name(client.camera_size)}), whose '
                    f'share has {len(share)}', 'ask for fewer')
        return [share[:count] for share, count in zip(shares, counts)]


def native_heights(box_sizes: np.ndarray,
                   input_size: Size,
                   padding: float = 1.25) -> np.ndarray:
    """Compute how high the crops of a top-down model are at the source.

    Args:
        box_sizes (np.ndarray): Box sizes (w, h) in source pixels, in shape
            (N, 2).
        input_size (tuple[int, int]): The model's input size (w, h), whose
            aspect ratio the crops get.
        padding (float): Size of the crop relative to the box. Defaults to
            1.25.

    Returns:
        np.ndarray: Heights in source pixels, in shape (N, ). A crop is not
        enlarged if its height is at least that of the input.
    """
    width, height = input_size
    box_widths, box_heights = box_sizes.T
    # The product before the quotient: whole pixels stay exact, so that a box
    # of just the input's size counts as one.
    return padding * np.maximum(box_heights, box_widths * height / width)
