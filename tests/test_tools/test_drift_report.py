"""The report's command line: which results it takes and what it refuses."""

import json

import pytest

from tests.test_evaluation.drift_results import (HIGH, LOW, make_result,
                                                 write_log)
from tests.test_engine.many_sizes import evaluation_config
from tests.tool_main import tool_main
from tests.toy import run


@pytest.fixture
def main(monkeypatch, tmp_path):
    """Call the tool's main() in a folder; return its exit code."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: tool_main('report', monkeypatch, *arguments)


def make_run(folder, name, value):
    folder.mkdir()
    make_result(name, {LOW: value, HIGH: value}).save(folder / 'drift.json')
    write_log(folder, '20260101_000000', [{
        'near/loss': 0.5,
        'near/seconds': 1,
        'step': 1
    }])


def names_in(path):
    return [tree['name'] for tree in json.loads(path.read_text())]


def test_work_dirs_and_files_side_by_side(main, tmp_path, capsys):
    make_run(tmp_path / 'run', 'raf', 0.5)
    make_run(tmp_path / 'other', 'fedavg', 0.25)
    (tmp_path / 'other/drift.json').rename(tmp_path / 'other/copy.json')
    assert main('run', 'other/copy.json', '-o', 'out') == 0
    assert capsys.readouterr().out == 'Report: out/report.md\n'
    assert names_in(tmp_path / 'out/results.json') == ['raf', 'fedavg']
    # The log belongs to the result whose file has the usual name.
    assert [path.name for path in (tmp_path / 'out').glob('*-training.png')
            ] == ['raf-training.png']


def test_names_replace_those_of_the_results(main, tmp_path):
    make_run(tmp_path / 'a', 'raf', 0.5)
    make_run(tmp_path / 'b', 'raf', 0.6)
    assert main('a', 'b/drift.json', '-o', 'out', '--names', 'x-seed0',
                'x-seed1') == 0
    assert names_in(tmp_path / 'out/results.json') == ['x-seed0', 'x-seed1']
    assert '| x | 55.0 ± 7.1 † |' in (tmp_path / 'out/report.md').read_text(
        encoding='utf-8')
    assert (tmp_path / 'out/x-seed1-training.png').is_file()


def test_a_run_without_a_result_is_evaluated(main, tmp_path):
    cfg = evaluation_config(tmp_path / 'run', num_samples=6)
    cfg.train_cfg.max_epochs = 1
    cfg.test_cfg = dict()
    run(cfg)
    assert main('run', '-o', 'out', '--input-sizes', '64x48', '96x64') == 0
    result, = json.loads((tmp_path / 'out/results.json').read_text())
    assert result['name'] == 'run'
    # and the clients' own
    assert [view['view']['input_size'] for view in result['views']
            ] == [[48, 64], [64, 96], [16, 32]]
    assert len(list((tmp_path / 'out').glob('run-*.png'))) == 3
    assert (tmp_path / 'run/drift.json').is_file()


@pytest.mark.parametrize('arguments, words', [
    (['empty'], 'empty: no drift.json and no checkpoint'),
    (['missing.json'], 'missing.json: No such file'),
    (['text.json'], 'text.json: it is no JSON'),
    (['run', 'run'], 'names: two results are named \'raf\''),
    (['run', '--names', 'a', 'b'], '--names: got 2 for 1 results'),
    (['faces.json', 'run'], 'dataset: \'f\' and \'raf\' are of different'),
])
def test_refused_in_one_line(main, tmp_path, capsys, arguments, words):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'text.json').write_text('text')
    make_run(tmp_path / 'run', 'raf', 0.5)
    make_result('f', {LOW: 0.5}, dataset='faces').save(tmp_path / 'faces.json')
    assert main(*arguments, '-o', 'out') == 2
    out, err = capsys.readouterr()
    assert err.startswith(f'error: {words}')
    assert err.count('\n') == 1 and not out
    assert not (tmp_path / 'out').exists()


def test_a_folder_that_is_no_report_is_refused(main, tmp_path, capsys):
    make_run(tmp_path / 'run', 'raf', 0.5)
    assert main('run', '-o', 'run') == 2
    assert 'run: it holds other files' in capsys.readouterr().err
