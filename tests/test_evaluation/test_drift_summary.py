"""Resolution drift in a few numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation import pick_metric, rule_of, summarise_drift

LOW, MID, HIGH = (48, 64), (96, 128), (192, 256)
VALUES = {LOW: .2, MID: .8, HIGH: .6}


def test_of_an_accuracy_the_lowest_is_the_worst():
    assert summarise_drift(VALUES, [MID, HIGH], 'greater') == pytest.approx({
        'trained/mean': .7,
        'trained/worst': .6,
        'unseen/mean': .2,
        'unseen/worst': .2,
        'drift': .6
    })


def test_of_an_error_the_highest_is_the_worst():
    assert summarise_drift(VALUES, [LOW], 'less') == pytest.approx({
        'trained/mean': .2,
        'trained/worst': .2,
        'unseen/mean': .7,
        'unseen/worst': .8,
        'drift': .6
    })


def test_what_is_not_there_is_left_out():
    assert set(summarise_drift(VALUES, [], 'greater')) == {
        'unseen/mean', 'unseen/worst', 'drift'}
    assert set(summarise_drift(VALUES, list(VALUES), 'greater')) == {
        'trained/mean', 'trained/worst', 'drift'}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.integers(0, 9),
       st.sampled_from(['greater', 'less']))
def test_worst_is_no_better_than_the_mean(values, count, rule):
    accuracy = {(8 * i, 8 * i): v for i, v in enumerate(values, start=1)}
    summary = summarise_drift(accuracy, list(accuracy)[:count], rule)
    sign = 1 if rule == 'greater' else -1
    for kind in ('trained', 'unseen'):
        if f'{kind}/mean' in summary:
            assert sign * summary[f'{kind}/worst'] <= (
                sign * summary[f'{kind}/mean'] + 1e-12)
    assert 0 <= summary['drift'] <= 1


@pytest.mark.parametrize('metric, rule', [
    ('PCK', 'greater'), ('coco/AP', 'greater'), ('AUC', 'greater'),
    ('NME', 'less'), ('EPE', 'less'), ('face/NME', 'less'),
])
def test_rules(metric, rule):
    assert rule_of(metric) == rule


@pytest.mark.parametrize('names, usual', [
    (['Head PCK', 'Shoulder PCK', 'PCK', 'PCK@0.1'], 'PCK'),  # MPII
    (['coco/AP', 'coco/AP .5', 'coco/AR'], 'coco/AP'),
    (['AUC', 'NME'], 'NME'),
    (['PCKh', 'tPCK'], 'PCKh'),
])
def test_what_is_usually_reported(names, usual):
    assert pick_metric(dict.fromkeys(names, 0.), None) == usual


def test_the_first_metric_unless_another_is_wanted():
    metrics = {'a': 1., 'b': 2.}
    assert pick_metric(metrics, None) == 'a'
    assert pick_metric(metrics, 'b') == 'b'
    with pytest.raises(ConfigError, match="'c'; use one of a, b"):
        pick_metric(metrics, 'c')
