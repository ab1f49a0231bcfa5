"""Sets of experiments from the command line, on toy data."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmpose_raf.engine import evaluate_run
from mmpose_raf.evaluation import DriftResult
from mmpose_raf.experiments.worker import TellRounds, run
from tests.tool_main import tool_main
from tests.toy import SIZES, toy_config, toy_dataset

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools/run_experiments.py'
SET = '''
base = 'base.py'
input_sizes = [(48, 64), (16, 32)]
axes = dict(training=dict(
    fedavg={'model.ladder': [], 'model.distill': None},
    raf={'model.level_weights': 'area'}))
'''


def run_tool(*args):
    """Run the script in a process of its own."""
    # The configs import tests.toy.
    return subprocess.run([sys.executable, TOOL, *map(str, args)],
                          capture_output=True,
                          text=True,
                          cwd=ROOT,
                          env=dict(os.environ, PYTHONPATH=str(ROOT)))


@pytest.fixture
def written(tmp_path):
    """A set of two tiny experiments."""
    cfg = toy_config(tmp_path / 'unused', rounds=1, num_samples=6)
    cfg.custom_imports = dict(imports=['mmpose_raf', 'tests.toy'])
    cfg.pop('experiment_name')
    dataset = dict(toy_dataset(4, first=50, augmented=False), test_mode=True)
    cfg.test_evaluator = dict(type='PCKAccuracy', thr=.2)
    cfg.test_cfg = dict()
    cfg.test_dataloader = dict(batch_size=4,
                               num_workers=0,
                               sampler=dict(type='DefaultSampler',
                                            shuffle=False),
                               dataset=dataset)
    Config(cfg.to_dict()).dump(tmp_path / 'base.py')
    path = tmp_path / 'set.py'
    path.write_text(SET)
    return path


@pytest.mark.slow
def test_a_set_from_start_to_report(written, tmp_path):
    out = tmp_path / 'out'
    done = run_tool(written, '--work-dir', out, '--jobs', 2)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for name in ('fedavg-seed0', 'raf-seed0'):
        told = [line for line in lines if line.startswith(f'{name}: ')]
        assert [
            line.split(': ')[1].split(' in ')[0].partition(', ')[0]
            for line in told
        ] == ['training begins', 'trained', 'done']
    assert '(2 of 2)' in done.stdout
    assert lines[-1] == f'Report: {out}/report/report.md'
    assert (out / 'report/resolution_curve.png').is_file()
    for name in ('fedavg', 'raf'):
        result = DriftResult.load(out / f'{name}-seed0/drift.json')
        assert result.name == f'{name}-seed0'
        assert list(result.accuracy) == [SIZES['high'], SIZES['low']]
        assert (out / f'{name}-seed0/epoch_1.pth').is_file()
    report = (out / 'report/report.md').read_text()
    assert '| fedavg |' in report and '| raf |' in report

    # Again: nothing is trained a second time.
    stamps = {path: path.stat().st_mtime_ns for path in out.glob('*/*.pth')}
    start = time.time()
    again = run_tool(written, '--work-dir', out)
    assert again.returncode == 0
    assert again.stdout.count('was done') == 2
    assert {
        path: path.stat().st_mtime_ns
        for path in out.glob('*/*.pth')
    } == stamps
    assert (out / 'report/report.md').stat().st_mtime > start

    # A set that was changed is not taken for the one that was run.
    written.write_text(SET.replace("'area'", "'uniform'"))
    changed = run_tool(written, '--work-dir', out)
    assert changed.returncode == 2
    assert 'experiment of another config' in changed.stderr
    assert changed.stderr.startswith('error: ')


@pytest.mark.slow
def test_averages_over_time_are_what_is_tested(written, tmp_path):
    cfg = Config.fromfile(written.parent / 'base.py')
    cfg.merge_from_dict(
        dict(
            test_cfg=dict(
                type='MultiResolutionTestLoop', input_sizes=[(48, 64)]),
            custom_hooks=[
                *cfg.custom_hooks,
                dict(type='EMAHook', momentum=.1, update_buffers=True)
            ]))
    cfg.test_evaluator = dict(type='ToyMetric')
    cfg.dump(tmp_path / 'ema.py')
    out = tmp_path / 'ema'
    with open(os.devnull, 'w') as nowhere:
        run(str(tmp_path / 'ema.py'), str(out), TellRounds(nowhere))
    tested = DriftResult.load(out / 'drift.json')
    saved = torch.load(out / 'epoch_1.pth', weights_only=True)
    weight = saved['state_dict']['backbone.ln1.weight']
    last = saved['ema_state_dict']['module.backbone.ln1.weight']
    assert not torch.equal(weight, last)  # the average, and what was averaged
    again = DriftResult.load(evaluate_run(out))
    assert tested.accuracy == again.accuracy


@pytest.mark.slow
def test_a_failure_leaves_the_others_alone(written, tmp_path):
    written.write_text(
        SET.replace("fedavg={'model.ladder': []",
                    "fedavg={'model.ladder': [(47, 64)]"))
    out = tmp_path / 'out'
    done = run_tool(written, '--work-dir', out)
    assert done.returncode == 1
    assert 'fedavg-seed0: failed' in done.stdout
    assert 'error: input_size' in done.stdout  # the reason, from its log
    assert 'raf-seed0: done' in done.stdout
    assert '| raf |' in (out / 'report/report.md').read_text()


@pytest.mark.slow
def test_what_was_interrupted_continues(written, tmp_path):
    """An experiment whose training is done, but not its test.

    It goes on with its own checkpoint, not with the one it started from.
    """
    out = tmp_path / 'out'
    assert run_tool(written, '--work-dir', out, '--only',
                    'fedavg*').returncode == 0
    start = out / 'fedavg-seed0/epoch_1.pth'
    written.write_text(
        SET.replace("raf={", f"raf={{'load_from': '{start}', "))
    options = (written, '--work-dir', out, '--only', 'raf*')
    assert run_tool(*options).returncode == 0
    result = out / 'raf-seed0/drift.json'
    first = DriftResult.load(result)
    checkpoint = out / 'raf-seed0/epoch_1.pth'
    stamp = checkpoint.stat().st_mtime_ns
    result.unlink()
    assert run_tool(*options).returncode == 0
    assert DriftResult.load(result).accuracy == first.accuracy
    assert checkpoint.stat().st_mtime_ns == stamp


def test_list_prints_the_names_of_the_runs(written, monkeypatch, capfd):
    assert tool_main('experiments', monkeypatch, written, '--list') == 0
    assert capfd.readouterr().out.split() == ['fedavg-seed0', 'raf-seed0']


@pytest.mark.parametrize('options, message', [
    (['missing.py'], 'no such file'),
    (['{set}', '--jobs', 0], '--jobs'),
    (['{set}', '--only', 'other*'], '--only'),
])
def test_bad_input_is_one_line(written, tmp_path, monkeypatch, capfd, options,
                               message):
    options = [str(option).format(set=written) for option in options]
    assert tool_main('experiments', monkeypatch, *options, '--work-dir',
                     tmp_path / 'out') == 2
    line, = capfd.readouterr().err.splitlines()
    assert line.startswith('error: ') and message in line
    assert not (tmp_path / 'out').exists()
