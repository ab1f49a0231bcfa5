"""MMPose's own tools, unchanged, on configs and logs of this project."""

import json
import runpy
import sys
from pathlib import Path
from unittest.mock import MagicMock

import cv2
import matplotlib.pyplot as plt
import mmpose
import pytest
from mmpose.apis import init_model

from mmpose_raf.evaluation.model_cost import count_gflops
from tests.toy import SIZES, run, toy_config

TOOLS = Path(mmpose.__path__[0]) / '.mim/tools'
DEMO = str(Path(__file__).parents[2] / 'configs/raf_demo.py')


@pytest.fixture
def tool(monkeypatch, capsys):
    """Run a tool as a script; return what it prints."""

    def run_tool(name, *arguments):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        runpy.run_path(str(TOOLS / name), run_name='__main__')
        return capsys.readouterr().out

    return run_tool


def test_print_config(tool):
    printed = tool('analysis_tools/print_config.py', DEMO)
    assert "type='RAFPoseEstimator'" in printed


def test_get_flops_counts_half_of_what_the_report_counts(tool):
    """It counts multiplications with their additions as one."""
    printed = tool('analysis_tools/get_flops.py', DEMO, '--input-shape', '128',
                   '96')
    flops, = (line for line in printed.splitlines()
              if line.startswith('Flops: '))
    assert flops.endswith('G')
    model = init_model(DEMO, None, device='cpu')
    assert float(flops[7:-1]) == pytest.approx(
        count_gflops(model, (96, 128)) / 2, rel=.05)


def test_browse_dataset(tool, tmp_path):
    tool('misc/browse_dataset.py', DEMO, '--output-dir', tmp_path,
         '--not-show', '--cfg-options',
         'train_dataloader.dataset.num_samples=2')
    pictures = sorted(tmp_path.glob('*.png'))
    assert len(pictures) == 2
    assert cv2.imread(str(pictures[0])).shape == (128, 96, 3)


def test_analyze_logs(tool, tmp_path, monkeypatch):
    # Which the tool asks for the style of its curve alone.
    monkeypatch.setitem(sys.modules, 'seaborn', MagicMock())
    run(toy_config(tmp_path, rounds=2))
    log, = tmp_path.glob('*/vis_data/scalars.json')
    curve = tmp_path / 'curve.png'
    tool('analysis_tools/analyze_logs.py', 'plot_curve', log, '--keys', 'loss',
         '--out', curve)
    assert cv2.imread(str(curve)) is not None
    printed = tool('analysis_tools/analyze_logs.py', 'cal_train_time', log)
    assert 'average iter time' in printed


def test_analyze_logs_of_clients(tool, tmp_path, monkeypatch):
    """Their curves in one chart, also if one was absent in some rounds."""
    monkeypatch.setitem(sys.modules, 'seaborn', MagicMock())
    curves = []
    monkeypatch.setattr(plt, 'plot', lambda xs, ys, label, **_: curves.append(
        (label, xs.tolist(), ys.tolist())))
    monkeypatch.setattr(plt, 'savefig', lambda path: None)
    runner = run(toy_config(tmp_path, rounds=3, participation=.5))
    folder = Path(runner.log_dir, 'vis_data')
    logs = [folder / f'clients/{name}/scalars.json' for name in SIZES
            if (folder / f'clients/{name}').is_dir()]
    tool('analysis_tools/analyze_logs.py', 'plot_curve', *logs, '--keys',
         'loss', '--legend', *(log.parent.name for log in logs), '--out',
         'unused.png')
    expected = {}
    for line in (folder / 'scalars.json').read_text().splitlines():
        row = json.loads(line)
        for key in row:
            if key.endswith('/loss'):
                steps, losses = expected.setdefault(key[:-5], ([], []))
                steps.append(row['step'])
                losses.append(row[key])
    assert sum(len(steps) for steps, _ in expected.values()) == 3
    assert {name: (steps, losses)
            for name, steps, losses in curves} == expected
