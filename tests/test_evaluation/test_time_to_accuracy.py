"""Runs on a simulated clock, with crossing times known by hand."""

import math

import pytest

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.metric_scale import MetricScale
from mmpose_raf.evaluation.time_to_accuracy import (COSTS, TimedRun,
                                                    TimeToAccuracy,
                                                    compare_runs)
from mmpose_raf.evaluation.training_log import (read_total, read_training_log,
                                                read_validations)
from mmpose_raf.visualization import plot_training_curves
from tests.test_evaluation.drift_results import write_log


def trained(step, clock=None, client='high'):
    """The lines of a round of one client."""
    line = {f'{client}/loss': 0.5, f'{client}/seconds': 2.5}
    if clock is not None:
        line['federation/clock'] = clock
    return [
        dict(lr=0.1, loss=7., time=1., epoch=step, iter=50, step=50 * step),
        dict(line, step=step)
    ]


def validated(step, **metrics):
    """The line of a validation; MMEngine adds the times."""
    return dict(metrics, data_time=0.1, time=0.2, step=step)


def write_run(work_dir,
              values,
              seconds=10.,
              metric='PCK',
              first=1,
              time='20260101_000000'):
    """A run of equally long rounds; None is a round without validation."""
    lines = []
    for step, value in enumerate(values, first):
        lines += trained(step, seconds * step)
        if value is not None:
            lines.append(validated(step, **{metric: value}))
    write_log(work_dir, time, lines)
    return work_dir


def compare(runs, metric=None, targets=()):
    comparison = compare_runs(runs, metric, targets)
    return comparison, [[
        comparison.cost_to(run, target) for target in targets
    ] for run in comparison.runs]


def test_first_validated_round_at_or_above_a_target(tmp_path):
    run = write_run(tmp_path / 'run', [None, 0.3, None, 0.57, 0.5, 0.7])
    # The last is not reached; 0.57 is 57 %, whatever floats say.
    comparison, seconds = compare([run], None, [30, 57, 57.1, 71])
    assert seconds == [[20., 40., 60., None]]
    only, = comparison.runs
    assert comparison.best(only) == 0.7
    assert only.curve('PCK') == [(20., 0.3), (40., 0.57), (50., 0.5),
                                 (60., 0.7)]


def test_the_table_has_a_row_for_each_run(tmp_path):
    fast = write_run(tmp_path / 'fast_1', [0.25, 0.5], seconds=2.5)
    slow = write_run(tmp_path / 'slow', [0.5, 0.5, None])
    comparison, _ = compare([fast, slow], 'PCK', [50, 62.5])
    assert comparison.table().splitlines() == [
        '| run | rounds | simulated seconds | best PCK in % | '
        'seconds to 50 % | seconds to 62.5 % |',
        '| --- | ---: | ---: | ---: | ---: | ---: |',
        r'| fast\_1 | 2 | 5.0 | 50.0 | 5.0 | - |',
        '| slow | 3 | 30.0 | 50.0 | 10.0 | - |'
    ]


def test_runs_are_compared_by_their_computation(tmp_path):
    for name, pixels in (('a', 2.), ('b', 8.)):
        lines = []
        for step, score in enumerate([.25, .5], 1):
            lines += [
                *trained(step), {
                    'federation/megapixels': step * pixels,
                    'step': step
                },
                validated(step, PCK=score)
            ]
        write_log(tmp_path / name, '20260101_000000', lines)
    comparison = compare_runs([tmp_path / 'a', tmp_path / 'b'], 'PCK', [50],
                              COSTS['computation'])
    assert comparison.table().splitlines() == [
        '| run | rounds | trained megapixels | best PCK in % | '
        'megapixels to 50 % |', '| --- | ---: | ---: | ---: | ---: |',
        '| a | 2 | 4.0 | 50.0 | 4.0 |', '| b | 2 | 16.0 | 50.0 | 16.0 |'
    ]


def test_percentages_stay_what_they_are(tmp_path):
    first = write_run(tmp_path / 'a', [0.5, 80.], metric='coco/AP')
    second = write_run(tmp_path / 'b', [0.9, 0.95], metric='coco/AP')
    comparison, seconds = compare([first, second], None, [60])
    assert comparison.scale == MetricScale('coco/AP', 1, is_percent=True)
    assert seconds == [[20.], [None]]


@pytest.mark.parametrize('metric', ['NME', '64x48/EPE'])
def test_an_error_has_to_come_down(tmp_path, metric):
    run = write_run(tmp_path / 'run', [0.5, 0.05, 0.04, 0.06], metric=metric)
    comparison, seconds = compare([run], metric, [0.05, 0.045, 0.01])
    assert seconds == [[20., 30., None]]
    assert comparison.best(comparison.runs[0]) == 0.04
    assert f'| best {metric}, less is better | seconds to 0.05 |' in (
        comparison.table())


def test_what_sums_up_many_sizes_follows_its_metric(tmp_path):
    names = {'64x48/NME': 0.5, 'trained/mean': 0.5, 'drift': 0.25}
    lines = trained(1, 1.) + [validated(1, **names)]
    write_log(tmp_path / 'errors', '20260101_000000', lines)
    names['64x48/PCK'] = names.pop('64x48/NME')
    lines = trained(1, 1.) + [validated(1, **names)]
    write_log(tmp_path / 'shares', '20260101_000000', lines)
    rules = [
        compare([tmp_path / run], metric)[0].rule
        for run in ('errors', 'shares') for metric in ('trained/mean', 'drift')
    ]
    assert rules == ['less', 'less', 'greater', 'less']


def test_what_is_not_a_number_reaches_nothing(tmp_path):
    nan = float('nan')
    broken = write_run(tmp_path / 'broken', [nan, nan])
    other = write_run(tmp_path / 'other', [nan, 0.5])
    comparison, seconds = compare([broken, other], 'PCK', [0, 50])
    assert seconds == [[None, None], [20., 20.]]
    assert math.isnan(comparison.best(comparison.runs[0]))
    assert comparison.best(comparison.runs[1]) == 0.5


def test_a_resumed_run_goes_on_and_replaces(tmp_path):
    # Written in the wrong order: the names tell the times.
    write_run(tmp_path, [0.4, 0.7],
              first=2,
              seconds=11.,
              time='20260102_000000')
    write_run(tmp_path, [0.1, 0.9])
    comparison, seconds = compare([tmp_path], 'PCK', [40, 70, 90])
    assert seconds == [[22., 33., None]]
    run, = comparison.runs
    assert run.clock == {1: 10., 2: 22., 3: 33.}
    assert run.rounds == 3 and run.total == 33.


def test_default_metric_is_the_usual_one_of_all_runs(tmp_path):
    logged = dict(a=dict(AUC=0.1, PCK=0.2, NME=0.3), b=dict(AUC=0.1, NME=0.3))
    for name, metrics in logged.items():
        write_log(tmp_path / name, '20260101_000000',
                  trained(1, 1.) + [validated(1, **metrics)])
    assert compare([tmp_path / 'a'])[0].scale.metric == 'PCK'
    both = [tmp_path / 'a', tmp_path / 'b']
    assert compare(both)[0].scale.metric == 'NME'


def test_runs_named_alike_have_their_paths_as_names(tmp_path, monkeypatch):
    write_run(tmp_path / 'a/run', [0.5])
    write_run(tmp_path / 'b/run', [0.5])
    monkeypatch.chdir(tmp_path)
    runs = compare_runs(['a/run', 'b/run'], 'PCK', []).runs
    assert [run.name for run in runs] == ['a/run', 'b/run']
    with pytest.raises(ConfigError, match='a/run: it is given twice'):
        compare_runs(['a/run', 'b/run', 'a/run'], 'PCK', [])


def test_the_clock_is_no_client(tmp_path):
    # The second has its first round after the clock's.
    lines = trained(1, 5.) + trained(2, 10., client='low')
    write_log(tmp_path, '20260101_000000', lines)
    curves = read_training_log(tmp_path)
    assert list(curves) == ['high', 'low']
    assert read_total(tmp_path, 'federation/clock') == {1: 5., 2: 10.}
    plot_training_curves(curves, tmp_path / 'training.png')


def test_a_client_may_be_called_like_the_federation(tmp_path):
    write_log(tmp_path, '20260101_000000', trained(1, 5., 'federation'))
    assert read_training_log(tmp_path) == dict(
        federation=dict(loss=[(1, 0.5)], seconds=[(1, 2.5)]))


def test_a_round_without_anybody_has_its_time(tmp_path):
    lines = trained(1, 5.) + [{'federation/clock': 7., 'step': 2}]
    write_log(tmp_path, '20260101_000000', lines + trained(3, 9.))
    assert read_total(tmp_path, 'federation/clock') == {1: 5., 2: 7., 3: 9.}
    assert read_training_log(tmp_path)['high']['loss'] == [(1, 0.5), (3, 0.5)]


def test_a_run_of_nothing_but_such_rounds_has_no_curves(tmp_path):
    write_log(tmp_path, '20260101_000000', [{
        'federation/clock': 7.,
        'step': 1
    }])
    assert read_training_log(tmp_path) == {}


def test_validations_are_read_and_nothing_else(tmp_path):
    metrics = {'coco/AP': 0.5, '64x48/PCK': 0.25, 'drift': 0.5}
    write_log(tmp_path, '20260101_000000', [
        *trained(1, 5.),
        {
            'features/moved': 0.25,
            'step': 1
        },
        validated(1, **metrics),
        {
            'step': 2
        },
        *trained(2, 10.),
    ])
    assert read_validations(tmp_path) == {1: metrics}


def test_validations_off_the_clock_do_not_count(tmp_path):
    """E.g. that of the weights before the first round."""
    write_log(tmp_path, '20260101_000000',
              [validated(0, PCK=1), *trained(1, 5.),
               validated(1, PCK=0.5)])
    run = TimedRun.read(tmp_path, 'run', COSTS['time'])
    assert run.curve('PCK') == [(5., 0.5)]
    comparison = TimeToAccuracy([run], MetricScale('PCK', 100, True),
                                'greater', [])
    assert comparison.cost_to(run, 50) == 5.
