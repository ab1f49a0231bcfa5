"""The picture of accuracy against simulated time."""

import pytest

from mmpose_raf.evaluation.metric_scale import MetricScale
from mmpose_raf.evaluation.time_to_accuracy import (COSTS, TimedRun,
                                                    TimeToAccuracy)
from mmpose_raf.visualization.time_to_accuracy_plot import (
    plot_time_to_accuracy)
from tests.test_visualization.test_drift_pictures import (
    LONG, assert_all_on_canvas, assert_legend_is_free, labelled, lines_of)


@pytest.fixture
def draw(saved_figures, tmp_path):
    """Plot runs of (seconds, value); return the figure that was saved."""
    def call(curves, scale, rule='greater', targets=()):
        runs = []
        for name, curve in curves.items():
            seconds, values = zip(*curve)
            metrics = [{scale.metric: value} for value in values]
            runs.append(
                TimedRun(name, dict(enumerate(seconds)),
                         dict(enumerate(metrics))))
        plot_time_to_accuracy(
            [TimeToAccuracy(runs, scale, rule, list(targets))],
            tmp_path / 'picture.png')
        assert (tmp_path / 'picture.png').read_bytes()[1:4] == b'PNG'
        figure, = saved_figures
        return figure

    return call


def test_a_line_for_each_run_and_one_for_each_target(draw):
    figure = draw(dict(fast=[(1.5, 0.25), (3, 0.5)], slow=[(10, 0.625)]),
                  MetricScale('PCK', 100, True),
                  targets=[50, 60])
    axes, = figure.axes
    fast, slow, *targets = lines_of(axes)
    assert fast == [[1.5, 25], [3, 50]]
    assert slow == [[10, 62.5]]
    assert [line[0][1] for line in targets] == [50, 60]
    assert axes.get_xlim()[0] == 0
    assert axes.get_xlabel() == 'simulated time since the start in seconds'
    assert axes.get_ylabel() == 'PCK in %'
    assert list(labelled(figure)) == ['fast', 'slow', 'target']
    assert_all_on_canvas(figure)
    assert_legend_is_free(figure)


def test_errors_are_shown_as_they_are(draw):
    figure = draw(dict(run=[(1, 0.25)]), MetricScale('NME', 1, False), 'less')
    assert lines_of(figure.axes[0]) == [[[1, 0.25]]]
    assert list(labelled(figure)) == ['run']


def test_many_long_runs_stay_on_the_canvas(draw):
    curve = [(10. * step, 1 - 1 / step) for step in range(1, 100)]
    figure = draw({f'$_{LONG}{index}': curve
                   for index in range(9)}, MetricScale('PCK', 100, True))
    assert_all_on_canvas(figure)
    assert_legend_is_free(figure)
    assert len({handle.get_marker()
                for handle in labelled(figure).values()}) == 9


def test_seeds_look_alike(draw):
    figure = draw({
        'a-seed0': [(1, .5)],
        'b-seed0': [(1, .25)],
        'a-seed1': [(2, .5)]
    }, MetricScale('PCK', 100, True))
    colours = [line.get_color() for line in figure.axes[0].get_lines()]
    assert colours[0] == colours[2] != colours[1]
    assert list(labelled(figure)) == ['a', 'b']


def test_each_metric_has_a_panel(saved_figures, tmp_path):
    names = ('32x24/PCK', '64x48/PCK', '128x96/PCK')
    run = TimedRun('run', {1: 2.5}, {1: dict.fromkeys(names, .5)},
                   COSTS['computation'])
    plot_time_to_accuracy([
        TimeToAccuracy([run], MetricScale(name, 100, True), 'greater', [])
        for name in names
    ], tmp_path / 'picture.png')
    figure, = saved_figures
    *panels, empty = figure.axes
    assert [axes.get_ylabel() for axes in panels
            ] == [f'{name} in %' for name in names]
    assert all(lines_of(axes) == [[[2.5, 50]]] for axes in panels)
    # The lowest of each column says what is below it.
    label = 'megapixels through the\nbackbone in training'
    assert [axes.get_xlabel() for axes in panels] == ['', label, label]
    assert not empty.axison
    assert list(labelled(figure)) == ['run']
    assert_all_on_canvas(figure)
