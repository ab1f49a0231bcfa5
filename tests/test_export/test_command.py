"""The command line that exports a model."""

from pathlib import Path

import pytest

from mmpose_raf.commands.export_onnx import tabulate_comparisons
from mmpose_raf.export import export_onnx
from mmpose_raf.export.onnx_check import Comparison
from tests.tool_main import tool_main


@pytest.fixture
def run(monkeypatch):
    """Call the command; return its exit code."""
    return lambda *arguments: tool_main('export-onnx', monkeypatch, *arguments)


def check_refusal(capsys, *parts):
    # Before it, loggers of earlier tests may complain of their closed streams.
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('error: ')
    for part in parts:
        assert part in error


@pytest.mark.parametrize('sizes, problem', [
    (['100x72'], '100x72'),
    (['128'], "got '128'"),
    (['8x96'], 'sides from 16'),
    (['520x96'], 'heights up to 512'),
])
def test_sizes_that_do_not_fit(sizes, problem, trained, tmp_path, capsys, run):
    code = run(*trained, '-o', tmp_path / 'pose.onnx', '--input-sizes', *sizes)
    assert code == 2
    check_refusal(capsys, '--input-sizes', problem)


def test_a_file_that_is_there_stays(trained, tmp_path, capsys, run):
    out = tmp_path / 'pose.onnx'
    out.write_text('mine')
    assert run(*trained, '-o', out) == 2
    check_refusal(capsys, '--out', 'is there already')
    assert out.read_text() == 'mine'


def test_a_folder_that_is_missing(trained, tmp_path, capsys, run):
    assert run(*trained, '-o', tmp_path / 'none/pose.onnx') == 2
    check_refusal(capsys, '--out', 'no such folder')


def test_a_checkpoint_that_is_missing(trained, tmp_path, capsys, run):
    assert run(trained[0], 'none.pth', '-o', tmp_path / 'pose.onnx') == 2
    check_refusal(capsys, 'no such file: none.pth')


def test_missing_packages_are_named(trained, tmp_path, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(ValueError, match='pip install onnx onnxscript'):
        export_onnx(*trained, tmp_path / 'pose.onnx')


def test_the_table_tells_all():
    lines = tabulate_comparisons([
        Comparison((96, 128), 4.8e-7, 6.1e-5, 44.32, 50.3),
        Comparison((48, 64), 2.4e-7, None, 27.7, 47.6)
    ]).splitlines()
    assert '| 128x96 |            4.8e-07 |           6.1e-05 |' in lines[3]
    assert '44.3 |' in lines[3] and '50.3 |' in lines[3]
    assert '| 64x48  |            2.4e-07 |                   |' in lines[4]


def test_the_command_prints_what_the_export_found(monkeypatch, tmp_path,
                                                  capsys, run):
    calls = []

    def export(*arguments, **options):
        calls.append((*arguments, options))
        return [Comparison((48, 64), 2.4e-7, None, 27.7, 47.6)]

    monkeypatch.setattr('mmpose_raf.commands.export_onnx.export_onnx', export)
    out = tmp_path / 'pose.onnx'
    assert run('config.py', 'epoch_1.pth', '-o', out, '--no-decode',
               '--input-sizes', '64x48') == 0
    text = capsys.readouterr().out
    assert '| 64x48 |' in text and f'ONNX file: {out}' in text
    options = dict(preprocess=True, decode=False, input_sizes=[(48, 64)])
    assert calls == [(Path('config.py'), Path('epoch_1.pth'), out, options)]
