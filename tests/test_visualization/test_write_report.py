"""The folder of a report: what it holds, and what it refuses."""

import re

import pytest

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.drift_result import ClientResult
from mmpose_raf.evaluation.view import View
from mmpose_raf.visualization import write_report
from tests.test_evaluation.drift_results import (HIGH, LOW, make_gallery,
                                                 make_result, write_log)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_report_of_all_that_there_is(tmp_path):
    full = make_result(
        'Réseau A/B', {
            LOW: 0.5,
            HIGH: 0.75
        }, {LOW: 0.9},
        others={
            View(HIGH, capture_size=LOW): 0.6,
            View(LOW, upsample_to=HIGH): 0.55
        },
        clients=[ClientResult('near', View(HIGH), 5, dict(PCK=0.7))])
    plain = make_result('reseau-a/b', {LOW: 0.25}, hardware='a GPU')
    run = tmp_path / 'run'
    run.mkdir()
    make_gallery([View(LOW), View(HIGH)]).save(run / 'drift_gallery.npz')
    write_log(run, '20260101_000000', [{
        'near/loss': 0.5,
        'near/seconds': 1,
        'step': 1
    }])
    out = tmp_path / 'deep/report'
    write_report([full, plain], {full.name: run, plain.name: tmp_path}, out)

    stem = 'r-seau-a-b'
    assert names_in(out) == sorted([
        'report.md', 'results.csv', 'results.json', 'resolution_curve.png',
        'reseau-a-b-keypoints.png',
        *(f'{stem}-{picture}.png'
          for picture in ('capture', 'upsampling', 'keypoints', 'gallery',
                          'training'))
    ])
    text = (out / 'report.md').read_text(encoding='utf-8')
    # Every picture stands in the report, with a line that explains it.
    pictures = re.findall(r'!\[(.+)\]\((.+)\)\n\n\*\1\*\n', text)
    assert sorted(name for _, name in pictures) == [
        name for name in names_in(out) if name.endswith('.png')
    ]
    assert '# Resolution drift on people\n' in text
    assert 'Persons: 12. Metric: PCK. ' in text
    assert 'measured on: a CPU, a GPU.' in text
    assert '| Réseau A/B | **50.0** † | 75.0 † | **62.5** | – | 25.0 |' in text
    assert '| ceiling of the decoder | 90.0 | – | – | – | – |' in text
    assert '| near | 128x96 | 5 | 70.0 |' in text
    assert 'Trained at 64x48, 128x96.' in text


def test_names_that_look_alike_have_files_of_their_own(tmp_path):
    long = 'x' * 300
    write_report([
        make_result(name, {LOW: 0.5})
        for name in ('A b', 'a-b', 'a_b', '../..', long, f'{long}y')
    ], {}, tmp_path / 'out')
    keypoints = [
        name for name in names_in(tmp_path / 'out') if 'keypoints' in name
    ]
    assert keypoints == sorted(f'{stem}-keypoints.png'
                               for stem in ('a-b', 'a-b-2', 'a-b-3', 'run',
                                            'x' * 60, 'x' * 60 + '-2'))


def test_an_earlier_report_is_replaced(tmp_path):
    for value in (0.25, 0.5):
        write_report([make_result('a', {LOW: value})], {}, tmp_path)
    text = (tmp_path / 'report.md').read_text(encoding='utf-8')
    assert '| a | 50.0 † |' in text and '25.0' not in text


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / 'results.csv').write_text('precious')
    with pytest.raises(ConfigError, match='other files than a report'):
        write_report([make_result('a', {LOW: 0.5})], {}, tmp_path)
    assert names_in(tmp_path) == ['results.csv']
    assert (tmp_path / 'results.csv').read_text() == 'precious'
    with pytest.raises(ConfigError, match='no folder'):
        write_report([make_result('a', {LOW: 0.5})], {},
                     tmp_path / 'results.csv')


@pytest.mark.parametrize('results', [
    [],
    [make_result('a', {LOW: 0.5})] * 2,
    [make_result('a', {LOW: 0.5}),
     make_result('b', {LOW: 0.5}, dataset='c')],
    [
        make_result('a-seed0', {LOW: 0.5}),
        make_result('a-seed1', {LOW: 0.5}, trained_sizes=[LOW])
    ],
])
def test_nothing_is_written_of_results_that_do_not_fit(tmp_path, results):
    with pytest.raises(ConfigError):
        write_report(results, {}, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()
