"""The command line of the time to accuracy."""

import json

import cv2
import pytest

from tests.test_evaluation.drift_results import write_log
from tests.test_evaluation.test_time_to_accuracy import (trained, validated,
                                                         write_run)
from tests.tool_main import tool_main
from tests.toy import SIZES, run, toy_config


@pytest.fixture
def main(monkeypatch, tmp_path):
    """Call the tool in a folder; return its exit code."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: tool_main('time-to-accuracy', monkeypatch, *
                                        arguments)


def test_table_and_picture_are_written(main, tmp_path, capsys):
    write_run(tmp_path / 'a', [0.25, 0.5])
    write_run(tmp_path / 'b', [0.5, 0.75], seconds=1.)
    assert main('a', 'b', '-o', 'deep/out', '--target', '50', '60') == 0
    table, path = capsys.readouterr().out.rsplit('\n', 2)[:2]
    assert table.splitlines()[2:] == [
        '| a | 2 | 20.0 | 50.0 | 20.0 | - |',
        '| b | 2 | 2.0 | 75.0 | 1.0 | 2.0 |'
    ]
    assert path == 'Picture: deep/out/time_to_accuracy.png'
    out = tmp_path / 'deep/out'
    assert (out / 'time_to_accuracy.md').read_text() == f'{table}\n'
    assert cv2.imread(str(out / 'time_to_accuracy.png')).std() > 10


@pytest.mark.parametrize('aggregator, first, last',
                         [('FedAvg', 2., 6.), ('StalenessAware', 2., 4.)])
def test_a_run_is_on_the_clock_of_its_clients(main, tmp_path, capsys,
                                              aggregator, first, last):
    # 6 samples each: 2 s and 1 s. If nobody waits, the low one comes after 1,
    # 2, 3 and 4 s, the high one after 2 and 4 s, and two make a round.
    clients = [
        dict(name=name, input_size=SIZES[name], samples_per_second=speed)
        for name, speed in (('high', 3.), ('low', 6.))
    ]
    run(
        toy_config(tmp_path / 'run',
                   clients=clients,
                   rounds=3,
                   num_samples=12,
                   val=True,
                   aggregator=dict(type=aggregator)))
    log = next(tmp_path.glob('run/*/vis_data/scalars.json')).read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    best = 100 * max(line['score'] for line in lines if 'score' in line)
    capsys.readouterr()  # of the training
    assert main('run', '-o', 'out', '--target', '0', '101') == 0
    row = capsys.readouterr().out.splitlines()[2]
    assert row == f'| run | 3 | {last} | {best:.1f} | {first} | - |'


ERRORS = {
    'folder': (['missing'], 'missing: it holds no <time>/vis_data'),
    'no run': (['empty'], 'empty: it holds no <time>/vis_data'),
    'no clock': (['run', 'timeless'], 'timeless: its rounds have no simulated '
                 'clock; give the clients samples_per_second'),
    'not validated': (['blind'], 'blind: no round was validated'),
    'metric': (['--metric', 'AP', '--',
                'run'], "--metric: run has not logged 'AP'; use one of PCK"),
    'metric of one':
    (['--metric', 'PCK', '--', 'run',
      'other'], "--metric: other has not logged 'PCK'; use one of NME"),
    'no common metric': (['run', 'other'], '--metric: no metric is common'),
    'twice': (['run', 'run'], 'run: it is given twice'),
    'target': (['run', '--target', 'nan'], '--target: got nan'),
    'a file': (['run', '-o', 'file'], '--out-dir: '),
}


@pytest.mark.parametrize('name', ERRORS)
def test_refused_in_one_line(main, tmp_path, capsys, name):
    arguments, words = ERRORS[name]
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'file').touch()
    write_run(tmp_path / 'run', [0.5])
    write_run(tmp_path / 'other', [0.5], metric='NME')
    write_run(tmp_path / 'blind', [None])
    write_log(tmp_path / 'timeless', '20260101_000000',
              [*trained(1), validated(1, PCK=0.5)])
    assert main('-o', 'out', *arguments) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f'error: {words}')
    assert err.count('\n') == 1 and not out
    assert not (tmp_path / 'out').exists()
