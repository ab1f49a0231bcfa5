from collections.abc import Hashable
from numbers import Real
from typing import Any, Dict, List, Sequence

import numpy as np

from mmpose_raf.registry import PARTITIONERS
from .annotations import read_annotation
from .base import BasePartitioner, cut

# The sum of a few clients' alphas must stay a finite float; the shares are
# equal to nine digits long before.
MAX_ALPHA = 1e18


@PARTITIONERS.register_module()
class DirichletPartitioner(BasePartitioner):
    r"""Share out the samples with a skew between the clients' labels.

    For every value y of the label, independently, the shares of the N
    clients are drawn from a symmetric Dirichlet distribution,

    .. math:: p_y \sim \mathrm{Dir}_N(\alpha, \dots, \alpha)

    and the :math:`n_y` samples with this value are shuffled and cut into
    pieces of :math:`p_{y,i} n_y` samples for client i, rounded so that none
    is left over (largest remainder). Every sample is assigned, and each
    client expects 1/N of the samples of each value. The smaller alpha, the
    fewer clients hold nearly all samples of a value; the larger, the more
    equal the shares. With a small alpha clients may get nothing. A label that
    is the same everywhere skews the numbers of samples alone.

    This is the rule of `Bayesian Nonparametric Federated Learning of Neural
    Networks <https://arxiv.org/abs/1905.12022>`_ (Yurochkin et al., ICML
    2019). `Measuring the Effects of Non-Identical Data Distribution for
    Federated Visual Classification <https://arxiv.org/abs/1909.06335>`_
    (Hsu et al., 2019) draws the shares of the labels within each client
    instead, for clients of equal size.

    Args:
        alpha (float): Concentration of the Dirichlet distribution, > 0 and
            at most 1e18.
        label (str): The label. Either a field of the dataset's annotations
            with a hashable scalar, e.g. ``'category_id'``, or
            ``'num_visible_keypoints'``, the number of keypoints whose
            ``keypoints_visible`` is > 0. Defaults to
            ``'num_visible_keypoints'``.

    Raises:
        ConfigError: If an argument is not as described.
    """

    def __init__(self,
                 *,
                 alpha: float,
                 label: str = 'num_visible_keypoints') -> None:
        super().__init__()
        is_number = isinstance(alpha, Real) and not isinstance(alpha, bool)
        if not is_number or not 0 < alpha <= MAX_ALPHA:
            raise self.error('alpha', f'got {alpha!r}',
                             f'set a number > 0 and at most {MAX_ALPHA:g}')
        if not isinstance(label, str) or not label:
            raise self.error(
                'label', f'got {label!r}',
                "set the name of an annotation's field, or "
                "'num_visible_keypoints'")
        self.alpha = float(alpha)
        self.label = label

    def assign(self, dataset: Any, clients: Sequence[Any],
               rng: np.random.Generator) -> List[np.ndarray]:
        """Draw shares per label; see :meth:`BasePartitioner.assign`."""
        concentrations = np.full(len(clients), self.alpha)
        pieces = []
        for indices in self._group_by_label(dataset).values():
            counts = _round_shares(rng.dirichlet(concentrations), len(indices))
            pieces.append(cut(rng.permutation(indices), counts))
        return [np.concatenate(own) for own in zip(*pieces)]

    def _group_by_label(self, dataset: Any) -> Dict[Hashable, List[int]]:
        """Group the indices by label, in the order of first appearance."""
        groups: Dict[Hashable, List[int]] = {}
        for index in range(len(dataset)):
            label = self._read_label(dataset, index)
            groups.setdefault(label, []).append(index)
        return groups

    def _read_label(self, dataset: Any, index: int) -> Hashable:
        """Read the label of one sample."""
        info = read_annotation(dataset, index)
        counts_keypoints = self.label == 'num_visible_keypoints'
        field = 'keypoints_visible' if counts_keypoints else self.label
        if field not in info:
            raise self.error('label', f'sample {index} has no field {field!r}',
                             f'choose one of {", ".join(sorted(info))}')
        if counts_keypoints:
            return _count_visible(info[field])
        label = info[field]
        if isinstance(label, (np.ndarray, np.generic)) and label.size == 1:
            label = label.item()  # MMPose keeps scalars as arrays, too
        if not isinstance(label, Hashable):
            raise self.error(
                'label', f'{field!r} of sample {index} is a '
                f'{type(label).__name__}, not a scalar',
                'choose a field with one number or string a sample')
        return label


def _count_visible(keypoints_visible: np.ndarray) -> int:
    """Count the visible keypoints of an instance.

    Args:
        keypoints_visible (np.ndarray): Visibility in shape (1, K), or
            visibility and weight in shape (1, K, 2).

    Returns:
        int: The number of keypoints with a visibility > 0.
    """
    visible = np.asarray(keypoints_visible)
    if visible.ndim == 3:
        visible = visible[..., 0]
    return int(np.count_nonzero(visible > 0))


def _round_shares(shares: np.ndarray, total: int) -> np.ndarray:
    """Turn shares into counts by the method of the largest remainder.

    Unlike cutting at the rounded cumulative shares, it treats all clients
    alike, which matters for values with few samples.

    Args:
        shares (np.ndarray): Shares that sum up to 1, in shape (N, ).
        total (int): Number of samples.

    Returns:
        np.ndarray: Counts that sum up to ``total``, in shape (N, ).
    """
    exact = shares * total
    counts = np.floor(exact).astype(np.int64)
    by_remainder = np.argsort(counts - exact, kind='stable')
    counts[by_remainder[:total - counts.sum()]] += 1
    return counts
