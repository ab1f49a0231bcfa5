"""Runs that differ in the seed only, and results that do not fit."""

import pytest

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.drift_group import (check_comparable, group_by_name,
                                               list_ceilings, split_seed)
from mmpose_raf.evaluation.metric_scale import scale_of
from tests.test_evaluation.drift_results import (HIGH, LOW, MIDDLE,
                                                 make_result)


@pytest.mark.parametrize('name, parts', [
    ('raf-seed0', ('raf', '0')),
    ('raf-seed12', ('raf', '12')),
    ('raf', ('raf', '')),
    ('raf-seed', ('raf-seed', '')),
    ('raf-seed1-long', ('raf-seed1-long', '')),
])
def test_only_a_seed_at_the_end_is_split_off(name, parts):
    assert split_seed(name) == parts


def test_mean_and_sample_standard_deviation_over_seeds():
    groups = group_by_name([
        make_result('raf-seed0', {
            HIGH: 0.5,
            LOW: 0.1
        }),
        make_result('other', {LOW: 0.9}),
        make_result('raf-seed1', {
            HIGH: 0.7,
            LOW: 0.4
        }),
        make_result('raf-seed2', {HIGH: 0.9}),
    ])
    assert [group.name for group in groups] == ['raf', 'other']
    raf, other = groups
    assert list(raf.mean) == [LOW, HIGH]
    assert raf.mean == pytest.approx({LOW: 0.25, HIGH: 0.7})
    # sqrt((0.15^2 + 0.15^2) / 1) and sqrt((0.2^2 + 0 + 0.2^2) / 2)
    assert raf.spread == pytest.approx({LOW: 0.2121320, HIGH: 0.2})
    assert other.mean == {LOW: 0.9} and other.spread == {LOW: None}
    assert raf.summary['drift'] == pytest.approx([0.4, 0.3, 0])


def test_seeds_of_different_trainings_are_refused():
    with pytest.raises(ConfigError, match='^raf: .*different sizes'):
        group_by_name([
            make_result('raf-seed0', {LOW: 0.5}),
            make_result('raf-seed1', {LOW: 0.5}, trained_sizes=[LOW])
        ])


def test_the_same_ceiling_is_listed_once():
    groups = group_by_name([
        make_result('a', {LOW: 0.5}, {LOW: 0.8}),
        make_result('b', {
            LOW: 0.5,
            HIGH: 0.6
        }, {
            LOW: 0.8 + 1e-8,
            HIGH: 0.9
        }),
        make_result('none', {LOW: 0.5})
    ])
    (name, ceiling), = list_ceilings(groups).items()
    assert name == 'ceiling of the decoder'
    assert ceiling == pytest.approx({LOW: 0.8, HIGH: 0.9})
    assert list_ceilings(groups[2:]) == {}


def test_different_ceilings_are_named_by_their_runs():
    groups = group_by_name([
        make_result('a', {LOW: 0.5}, {LOW: 0.8}),
        make_result('b', {LOW: 0.5}, {LOW: 0.7})
    ])
    assert list_ceilings(groups) == {
        'ceiling of a': {
            LOW: 0.8
        },
        'ceiling of b': {
            LOW: 0.7
        }
    }


@pytest.mark.parametrize('others, words', [
    ([], 'results: there are none'),
    ([dict()], 'two results are named'),
    ([dict(name='b', dataset='faces')], 'different datasets'),
    ([dict(name='b', fingerprint='beef')], 'different persons'),
    ([dict(name='b', key_metric='AUC')], 'different key metrics'),
])
def test_what_cannot_be_compared_is_refused(others, words):
    results = [
        make_result(accuracy={MIDDLE: 0.5}, **dict(dict(name='a'), **other))
        for other in others
    ]
    if others:
        results.insert(0, make_result('a', {MIDDLE: 0.5}))
    with pytest.raises(ConfigError, match=words):
        check_comparable(results)


def test_what_fits_is_not_refused():
    check_comparable([
        make_result('a', {LOW: 0.5}),
        make_result('b', {HIGH: 0.5}, trained_sizes=[HIGH])
    ])


@pytest.mark.parametrize('options, value, label, text', [
    (dict(), 0.6578, 'PCK in %', '65.8'),
    (dict(), 65.78, 'PCK in %', '65.8'),
    (dict(key_metric='NME',
          rule='less'), 0.123456, 'NME, less is better', '0.1235'),
    (dict(key_metric='EPE',
          rule='less'), 12.3456, 'EPE, less is better', '12.35'),
])
def test_accuracies_are_percentages_and_errors_stay(options, value, label,
                                                    text):
    scale = scale_of([make_result('a', {LOW: value}, **options)])
    assert (scale.label, scale.text(value)) == (label, text)
