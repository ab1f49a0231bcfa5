"""Tables and files of results, against numbers that are made by hand."""

import csv
import json

from mmpose_raf.evaluation.drift_export import write_csv, write_json
from mmpose_raf.evaluation.drift_group import group_by_name
from mmpose_raf.evaluation.drift_result import ClientResult, DriftResult
from mmpose_raf.evaluation.drift_tables import (client_table, plain_markdown,
                                                size_table, view_table)
from mmpose_raf.evaluation.metric_scale import scale_of
from mmpose_raf.evaluation.view import View
from tests.test_evaluation.drift_results import (HIGH, LOW, MIDDLE,
                                                 make_result)


def table_of_sizes(results):
    return size_table(group_by_name(results), scale_of(results)).split('\n')


def test_size_table_has_means_spreads_marks_and_the_best():
    assert table_of_sizes([
        make_result('raf-seed0', {
            LOW: 0.60,
            MIDDLE: 0.50,
            HIGH: 0.80
        }, {
            LOW: 0.9,
            HIGH: 0.95
        }),
        make_result('raf-seed1', {
            LOW: 0.62,
            MIDDLE: 0.54,
            HIGH: 0.80
        }),
        make_result('one_size', {
            LOW: 0.20,
            HIGH: 0.90
        }, trained_sizes=[HIGH]),
    ]) == [
        '| run | 64x48 | 96x72 | 128x96 | trained/mean | unseen/mean '
        '| drift | worst at |',
        '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
        '| raf | **61.0 ± 1.4** † | 52.0 ± 2.8 | 80.0 ± 0.0 † | 70.5 ± 0.7 | '
        '**52.0 ± 2.8** | **28.0 ± 2.8** | 96x72 |',
        '| one\\_size | 20.0 | – | **90.0** † | **90.0** | 20.0 | 70.0 '
        '| 64x48 |',
        '| ceiling of the decoder | 90.0 | – | 95.0 | – | – | – | – |'
    ]


def test_a_single_run_is_not_the_best_of_anything():
    assert table_of_sizes([make_result('a', {
        LOW: 0.5,
        HIGH: 0.75
    })])[2:] == ['| a | 50.0 † | 75.0 † | 62.5 | – | 25.0 | 64x48 |']


def test_less_of_an_error_is_best_and_equals_share_the_honour():
    options = dict(key_metric='NME', rule='less')
    rows = table_of_sizes([
        make_result('a', {
            LOW: 0.05,
            MIDDLE: 0.0300001
        }, **options),
        make_result('b', {
            LOW: 0.04,
            MIDDLE: 0.03
        }, **options),
    ])[2:]
    assert rows == [
        '| a | 0.05 † | **0.03** | 0.05 | **0.03** | 0.02 | 64x48 |',
        '| b | **0.04** † | **0.03** | **0.04** | **0.03** | **0.01** '
        '| 64x48 |'
    ]


def test_views_stand_below_the_plain_one_with_their_cost():
    result = make_result('a', {
        HIGH: 0.80,
        LOW: 0.60
    },
                         others={
                             View(HIGH, capture_size=LOW): 0.65,
                             View(LOW, upsample_to=HIGH): 0.625,
                             View(MIDDLE, upsample_to=HIGH): 0.7
                         })
    assert view_table(result, scale_of([result])).split('\n') == [
        '| view | PCK in % | against plain | GFLOPs | ms |',
        '| --- | ---: | ---: | ---: | ---: |',
        '| 64x48 | 60.0 | – | 3.072 | 1.536 |',
        '| 64x48 upsampled to 128x96 | 62.5 | +2.5 | 12.29 | 6.144 |',
        '| 96x72 upsampled to 128x96 | 70.0 | – | 12.29 | 6.144 |',
        '| 128x96 | 80.0 | – | 12.29 | 6.144 |',
        '| 128x96 captured at 64x48 | 65.0 | -15.0 | 12.29 | 6.144 |'
    ]


def test_the_client_table_has_a_row_for_each_client():
    result = make_result('a', {LOW: 0.5},
                         clients=[
                             ClientResult('far|away', View(LOW), 7,
                                          dict(PCK=0.25)),
                             ClientResult('near', View(HIGH), 5, dict(PCK=1.0))
                         ])
    assert client_table(result, scale_of([result])).split('\n')[2:] == [
        '| far\\|away | 64x48 | 7 | 25.0 |', '| near | 128x96 | 5 | 100.0 |'
    ]


def test_names_are_no_markup():
    assert plain_markdown('a|b\n *c* <d>') == r'a\|b \*c\* \<d\>'


def test_csv_has_a_row_for_each_metric_of_each_view(tmp_path):
    result = make_result('raf, big-seed3', {LOW: 0.5}, {LOW: 0.75},
                         others={
                             View(MIDDLE, upsample_to=HIGH): 0.25,
                             View(MIDDLE, capture_size=LOW): 0.125
                         })
    result.views[0].metrics['AUC'] = 0.3
    write_csv([result], tmp_path / 'results.csv')
    with open(tmp_path / 'results.csv', newline='') as file:
        head, *rows = csv.reader(file)
    assert head == [
        'run', 'seed', 'view', 'input_height', 'input_width', 'capture',
        'upsample', 'kind', 'metric', 'value', 'trained', 'gflops', 'ms'
    ]
    run, middle = ['raf, big', '3'], ['96', '72']
    plain = run + ['64x48', '64', '48', '', '']
    assert rows == [
        plain + ['model', 'PCK', '0.5', 'true', '3.072', '1.536'],
        plain + ['model', 'AUC', '0.3', 'true', '3.072', '1.536'],
        plain + ['ceiling', 'PCK', '0.75', 'true', '', ''],
        run + ['96x72-upsampled-to-128x96'] + middle + ['', '128x96'] +
        ['model', 'PCK', '0.25', 'true', '12.288', '6.144'],
        run + ['96x72-captured-at-64x48'] + middle + ['64x48', ''] +
        ['model', 'PCK', '0.125', 'false', '6.912', '3.456'],
    ]


def test_json_lists_results_as_their_own_files_hold_them(tmp_path):
    results = [
        make_result(name, {LOW: 0.5}, {LOW: 0.75}) for name in ('a', 'b')
    ]
    write_json(results, tmp_path / 'results.json')
    trees = json.loads((tmp_path / 'results.json').read_text())
    assert [tree['name'] for tree in trees] == ['a', 'b']
    assert trees[0]['summary'] == {
        'trained/mean': 0.5,
        'trained/worst': 0.5,
        'drift': 0
    }
    for tree, result in zip(trees, results):
        (tmp_path / 'one.json').write_text(json.dumps(tree))
        assert DriftResult.load(tmp_path / 'one.json') == result
