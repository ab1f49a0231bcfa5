"""Clusters that were planted, and their scores."""

import sys

import numpy as np
import pytest

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.feature_clusters import (embed, embed_rows,
                                                    silhouette_by_person,
                                                    silhouette_by_resolution)
from mmpose_raf.evaluation.features import FeatureRows

pytest.importorskip('sklearn')


def planted(number=30, seed=0):
    """Two sizes of opposite features; persons have none in common."""
    rng = np.random.default_rng(seed)
    sizes = np.repeat([0, 1], number)
    values = rng.normal(0, .1, (2 * number, 6))
    values[:, 0] += 10 * sizes - 5
    return FeatureRows(
        values.astype(np.float32), np.tile(np.arange(number), 2), sizes)


def test_planted_clusters_are_found():
    rows = planted()
    assert silhouette_by_resolution(rows) > .99
    # A person's other row is at the distance 2; of any other person's rows
    # one is at 0 and one at 2.
    assert silhouette_by_person(rows) == pytest.approx((1 - 2) / 2, abs=.01)
    swapped = FeatureRows(rows.values, rows.sizes, rows.persons)
    assert silhouette_by_person(swapped) == silhouette_by_resolution(rows)


def test_shuffled_labels_have_no_clusters():
    rows = planted(300)
    shuffled = np.random.default_rng(1).permutation(rows.sizes)
    score = silhouette_by_resolution(
        FeatureRows(rows.values, rows.persons, shuffled))
    assert abs(score) < .05


def test_distance_is_that_of_directions():
    """Four rows; the silhouette by hand, and whatever their lengths."""
    angles = np.radians([0, 20, 90, 120])
    directions = np.stack([np.cos(angles), np.sin(angles)], 1)
    lengths = np.array([[1.], [100.], [.01], [7.]])
    distances = 1 - directions @ directions.T
    inner = distances[[0, 1, 2, 3], [1, 0, 3, 2]]
    outer = np.array([
        distances[:2, 2:].mean(1), distances[2:, :2].mean(1)]).ravel()
    expected = ((outer - inner) / np.maximum(outer, inner)).mean()
    rows = FeatureRows((lengths * directions).astype(np.float32),
                       np.arange(4), np.array([0, 0, 1, 1]))
    assert silhouette_by_resolution(rows) == pytest.approx(expected, abs=1e-5)


def test_scores_that_are_not_defined():
    rows = planted(3)
    one_size = FeatureRows(rows.values[:3], rows.persons[:3], rows.sizes[:3])
    assert silhouette_by_resolution(one_size) is None
    assert silhouette_by_person(one_size) is None  # a row for each person


def test_embedding_keeps_neighbours_together():
    rows = planted()
    points = embed(rows.values, seed=3)
    assert points.shape == (60, 2)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (rows.sizes[distances.argmin(1)] == rows.sizes).all()


def test_embedding_depends_on_the_seed_alone():
    values = planted(10).values
    np.random.seed(0)
    first = embed(values, seed=3)
    np.random.seed(1)
    np.testing.assert_array_equal(embed(values, seed=3), first)


def test_units_of_a_feature_do_not_matter():
    values = planted(10).values
    scaled = values * np.float32([1, 1024, 1, 1, 1 / 64, 1])
    np.testing.assert_allclose(embed(values), embed(scaled))


@pytest.mark.parametrize('number', [4, 5, 20])
def test_perplexity_fits_few_rows(number):
    values = np.random.default_rng(0).normal(size=(number, 3))
    assert np.isfinite(embed(values)).all()


def test_too_few_rows_are_refused():
    with pytest.raises(ConfigError, match='features: there are 3 rows'):
        embed(np.eye(3))


def test_an_embedding_has_points_and_both_scores():
    rows = planted(5)
    embedding = embed_rows(rows, seed=2)
    np.testing.assert_array_equal(embedding.points, embed(rows.values, 2))
    assert embedding.by_resolution == silhouette_by_resolution(rows)
    assert embedding.by_person == silhouette_by_person(rows)


def test_without_scikit_learn(monkeypatch):
    for name in list(sys.modules):
        if name.split('.')[0] == 'sklearn':
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match='pip install scikit-learn'):
        embed_rows(planted(5))
