"""Whether features cluster by resolution or by person."""

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Optional

import numpy as np

from mmpose_raf.errors import ConfigError
from .features import FeatureRows

# With fewer, the perplexity (a third of the other rows) is below 1.
MIN_ROWS = 4


@dataclass(frozen=True)
class Embedding:
    """Features in the plane, and how they cluster in their own space.

    Args:
        points (np.ndarray): Place of each row in the plane, in shape (N, 2).
        rows (FeatureRows): The features.
        by_resolution (float | None): See :func:`silhouette_by_resolution`.
        by_person (float | None): See :func:`silhouette_by_person`.
    """

    points: np.ndarray
    rows: FeatureRows
    by_resolution: Optional[float]
    by_person: Optional[float]


def embed_rows(rows: FeatureRows, seed: int = 0) -> Embedding:
    """Embed features in the plane and score their clusters.

    Args:
        rows (FeatureRows): The features.
        seed (int): Seed of the embedding. Defaults to 0.

    Raises:
        ConfigError: If there are too few rows, or scikit-learn is missing.
    """
    return Embedding(
        embed(rows.values, seed), rows, silhouette_by_resolution(rows),
        silhouette_by_person(rows))


def embed(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """Embed feature vectors in the plane with t-SNE.

    t-SNE (van der Maaten and Hinton, JMLR 2008) keeps neighbours together;
    distances between clusters and their areas mean nothing. Each feature is
    standardised first, lest the one of the largest range decides. The map
    starts from the principal components. The perplexity is 30, or a third of
    the other rows if they are fewer: with more, no row has neighbours.

    Args:
        values (np.ndarray): Features in shape (N, C), C at least 2.
        seed (int): Seed. Defaults to 0.

    Returns:
        np.ndarray: Places in shape (N, 2).

    Raises:
        ConfigError: If there are too few rows, or scikit-learn is missing.
    """
    manifold, preprocessing = _sklearn('manifold'), _sklearn('preprocessing')
    if len(values) < MIN_ROWS:
        raise ConfigError('features', f'there are {len(values)} rows',
                          f't-SNE needs {MIN_ROWS}: take more persons, sizes '
                          'or persons with visible keypoints')
    scaled = preprocessing.StandardScaler().fit_transform(
        values.astype(np.float64))
    return manifold.TSNE(
        perplexity=min(30., (len(values) - 1) / 3),
        init='pca',
        random_state=seed).fit_transform(scaled)


def silhouette_by_resolution(rows: FeatureRows) -> Optional[float]:
    """Silhouette score of the features when grouped by input size.

    Near 1 each size has a cluster of its own: the backbone tells resolution.
    Near 0 or below, persons look alike at all sizes. The score (Rousseeuw,
    1987) is that of the features as they are, with the cosine distance.

    Args:
        rows (FeatureRows): The features.

    Returns:
        float | None: Score in [-1, 1]; None where it is not defined, with a
        single group or nothing but groups of one row.

    Raises:
        ConfigError: If scikit-learn is missing.
    """
    return _silhouette(rows.values, rows.sizes)


def silhouette_by_person(rows: FeatureRows) -> Optional[float]:
    """Silhouette score of the features when grouped by person.

    See :func:`silhouette_by_resolution`; here a high score means that the
    features know a person again at every size.
    """
    return _silhouette(rows.values, rows.persons)


def _silhouette(values: np.ndarray, labels: np.ndarray) -> Optional[float]:
    metrics = _sklearn('metrics')
    if not 2 <= len(np.unique(labels)) < len(labels):
        return None
    return float(
        metrics.silhouette_score(
            values.astype(np.float64), labels, metric='cosine'))


def _sklearn(module: str) -> ModuleType:
    """Import a part of scikit-learn, which only this analysis needs."""
    try:
        return importlib.import_module(f'sklearn.{module}')
    except ImportError:
        raise ConfigError('scikit-learn', 'it is not installed',
                          'run `pip install scikit-learn`') from None
