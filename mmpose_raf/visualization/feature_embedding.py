"""A map of features, coloured by resolution and by person."""

from pathlib import Path
from typing import Dict, List, Optional, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmpose_raf.evaluation.feature_clusters import Embedding
from mmpose_raf.sizes import Size, size_name

# Paul Tol's "muted" scheme: ten colours that colour-blind readers tell apart.
COLOURS = ('#332288', '#CC6677', '#44AA99', '#DDCC77', '#AA4499', '#88CCEE',
           '#117733', '#882255', '#999933', '#BBBBBB')
# With many sizes neighbours still differ by the marker.
MARKERS = 'os^DvP<X>'


def plot_feature_embedding(embeddings: Dict[str, Embedding],
                           sizes: Sequence[Size], path: Path):
    """Plot embeddings, each coloured by resolution and by person.

    Markers tell the resolution in all panels. Persons are named as long as
    each has a colour of its own.

    Args:
        embeddings (dict): Embeddings by name, a row of panels for each.
        sizes (list[tuple[int, int]]): Input sizes (w, h) in pixels, to which
            the rows refer.
        path (Path): Where to write the PNG.
    """
    figure = Figure(figsize=(9.6, .9 + 4.1 * len(embeddings)),
                    layout='constrained')
    grid = figure.subplots(len(embeddings), 2, squeeze=False)
    persons = np.unique(
        np.concatenate([e.rows.persons for e in embeddings.values()]))
    by_size = _colours_of(len(sizes))
    by_person = dict(zip(persons.tolist(), _colours_of(len(persons))))
    for (name, embedding), (left, right) in zip(embeddings.items(), grid):
        rows = embedding.rows
        _scatter(left, embedding, [by_size[i] for i in rows.sizes])
        _scatter(right, embedding, [by_person[i] for i in rows.persons])
        _set_title(left, name, 'resolution', embedding.by_resolution)
        _set_title(right, name, 'person', embedding.by_person)
    figure.legend(
        handles=[
            _handle(size_name(size), _marker(index), by_size[index])
            for index, size in enumerate(sizes)
        ],
        title='input size, height x width in pixels (markers in all panels)',
        loc='outside lower center',
        ncols=min(len(sizes), 6))
    if len(persons) <= len(COLOURS):
        figure.legend(handles=[
            _handle(f'{person}', 'o', colour)
            for person, colour in by_person.items()
        ],
                      title='person',
                      loc='outside right center')
    figure.savefig(path, dpi=130)


def _colours_of(count: int) -> List[str]:
    """Colours of a number of groups; above ten, neighbours look alike."""
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    # Bright yellow cannot be seen on white.
    return list(colormaps['viridis'](np.linspace(0, .9, count)))


def _marker(index: int) -> str:
    return MARKERS[index % len(MARKERS)]


def _scatter(axes: Axes, embedding: Embedding, colours: list):
    """Draw all points, smaller where there are many."""
    area = float(np.clip(9000 / len(embedding.rows), 8, 60))
    colours = np.array(colours)
    for index in np.unique(embedding.rows.sizes):
        is_own = embedding.rows.sizes == index
        axes.scatter(*embedding.points[is_own].T,
                     s=area,
                     c=colours[is_own],
                     marker=_marker(index),
                     alpha=.8,
                     linewidths=0)
    # Neither axes nor distances of a t-SNE have a unit.
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(.04)


def _set_title(axes: Axes, name: str, groups: str, score: Optional[float]):
    # Adding zero takes the sign from a rounded -0.
    value = 'not defined' if score is None else f'{round(score, 2) + 0:.2f}'
    axes.set_title(f'{name} features by {groups}\nsilhouette: {value}',
                   fontsize=10)


def _handle(label: str, marker: str, colour) -> Line2D:
    return Line2D([], [],
                  linestyle='',
                  marker=marker,
                  color=colour,
                  label=label)
