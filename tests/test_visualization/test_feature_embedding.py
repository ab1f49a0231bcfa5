"""The picture of the features: what stands in it, and that nothing is cut."""

import cv2
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmpose_raf.evaluation.feature_clusters import Embedding
from mmpose_raf.evaluation.features import FeatureRows
from mmpose_raf.visualization.feature_embedding import plot_feature_embedding

SIZES = [(24, 32), (48, 64), (96, 128), (192, 256)]


def embeddings(num_persons, sizes=SIZES):
    rng = np.random.default_rng(0)
    persons = np.tile(np.arange(num_persons) + 1000, len(sizes))
    rows = FeatureRows(
        np.zeros((len(persons), 1)), persons,
        np.repeat(np.arange(len(sizes)), num_persons))
    points = rng.normal(size=(len(persons), 2))
    return dict(
        pooled=Embedding(points, rows, -.004, .125),
        dense=Embedding(points, rows, None, -1.))


def draw(monkeypatch, path, num_persons, sizes=SIZES):
    """Write the picture; return the figure that was written."""
    written = []
    savefig = Figure.savefig

    def note(figure, *args, **kwargs):
        written.append(figure)
        savefig(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, 'savefig', note)
    plot_feature_embedding(embeddings(num_persons, sizes), sizes, path)
    return written[0]


def texts_of(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_titles_of_the_panels_have_the_scores(monkeypatch, tmp_path):
    figure = draw(monkeypatch, tmp_path / 'a.png', 5)
    assert [axes.get_title() for axes in figure.axes] == [
        'pooled features by resolution\nsilhouette: 0.00',
        'pooled features by person\nsilhouette: 0.12',
        'dense features by resolution\nsilhouette: not defined',
        'dense features by person\nsilhouette: -1.00'
    ]
    assert cv2.imread(str(tmp_path / 'a.png')).std() > 10


@pytest.mark.parametrize('num_persons, named', [(10, True), (11, False)])
def test_persons_are_named_while_colours_last(monkeypatch, tmp_path,
                                              num_persons, named):
    figure = draw(monkeypatch, tmp_path / 'a.png', num_persons)
    assert texts_of(figure.legends[0]) == ['32x24', '64x48', '128x96',
                                           '256x192']
    assert len(figure.legends) == 1 + named
    if named:
        assert texts_of(
            figure.legends[1]) == [str(1000 + i) for i in range(10)]


def test_colours_and_markers_tell_the_groups(monkeypatch, tmp_path):
    figure = draw(monkeypatch, tmp_path / 'a.png', 6)
    by_size, by_person = figure.axes[:2]
    sizes = [{tuple(colour) for colour in part.get_facecolor()}
             for part in by_size.collections]
    assert all(len(colours) == 1 for colours in sizes)
    assert len(set.union(*sizes)) == len(SIZES)
    for part in by_person.collections:
        assert len({tuple(c) for c in part.get_facecolor()}) == 6
    # The same person has the same colour at every size.
    first, *others = by_person.collections
    for other in others:
        np.testing.assert_array_equal(other.get_facecolor(),
                                      first.get_facecolor())
    shapes = {
        part.get_paths()[0].vertices.tobytes()
        for part in by_size.collections
    }
    assert len(shapes) == len(SIZES)


@pytest.mark.parametrize('num_persons, num_sizes', [(2, 1), (10, 4), (40, 12)])
def test_nothing_is_cut_or_overlaps(monkeypatch, tmp_path, num_persons,
                                    num_sizes):
    sizes = [(24 * i, 32 * i) for i in range(1, num_sizes + 1)]
    figure = draw(monkeypatch, tmp_path / 'a.png', num_persons, sizes)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    boxes = [
        part.get_tightbbox(renderer)
        for part in [*figure.axes, *figure.legends]
    ]
    for index, box in enumerate(boxes):
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
        assert box.y0 >= 0 and box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:index])
