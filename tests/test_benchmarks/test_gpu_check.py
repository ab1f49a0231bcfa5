"""What waits for a GPU, tried on a CPU in the smallest settings."""

import importlib
import json

import pytest

from benchmarks import gpu_check, gpu_tests
from benchmarks.gpu_check import STEPS, Step
from benchmarks.gpu_findings import FINDINGS, is_met, list_findings
from benchmarks.measuring import Row


def module_of(step):
    return importlib.import_module(f'benchmarks.{step.module}')


def check(tmp_path, *args):
    """Exit code and summary of a check."""
    options = gpu_check.parse_args(
        ['--device', 'cpu', '--tiny', '--out', str(tmp_path), *args])
    code = gpu_check.check(options)
    return code, json.loads((tmp_path / 'summary.json').read_text())


def test_all_steps_together_have_25_minutes():
    assert sum(step.minutes for step in STEPS.values()) <= 25


@pytest.mark.parametrize('name', STEPS)
def test_each_benchmark_takes_the_options_of_its_step(name):
    step = STEPS[name]
    for options in (step.options, step.tiny):
        module_of(step).parse_args(
            ['--device', 'cpu', '--out', 'rows.json', *options.split()])


@pytest.mark.slow
def test_a_step_that_fails_or_takes_too_long_stops_no_other(
        tmp_path, monkeypatch, capsys):
    steps = dict(
        wrong=Step('mfu', 5., '', '--arch unheard-of'),
        long=Step('mfu', .001, '', ''),
        good=Step('mfu', 5., '', STEPS['mfu'].tiny))
    monkeypatch.setattr(gpu_check, 'STEPS', steps)
    code, summary = check(tmp_path, '--steps', *steps)
    assert code == 1
    assert {name: step['status']
            for name, step in summary['steps'].items()} == dict(
                wrong='failed: exit code 2',
                long='stopped after 0.001 minutes',
                good='passed')
    assert (tmp_path / 'good.json').exists()
    # What went wrong is shown.
    assert "invalid choice: 'unheard-of'" in capsys.readouterr().out


@pytest.mark.slow
def test_a_check_from_start_to_end(tmp_path, monkeypatch):
    # A busy machine is no failure of the script.
    monkeypatch.setattr(
        gpu_check, 'STEPS',
        {name: step._replace(minutes=15.)
         for name, step in STEPS.items()})
    steps = ['tests', 'train', 'evaluation']
    code, summary = check(tmp_path, '--steps', *steps)
    assert code == 0, (tmp_path / 'train.log').read_text()
    assert list(summary['steps']) == steps
    assert [finding['name'] for finding in summary['findings']] == [
        finding.name for finding in FINDINGS if finding.step == 'evaluation'
    ]
    rows = json.loads((tmp_path / 'train.json').read_text())['rows']
    names = [row['name'] for row in rows]
    for client in ('high', 'mid', 'low'):
        assert f'micro fp32 round, {client}, loss' in names
    assert 'micro fp32 round, PCK' in names


@pytest.mark.slow
def test_each_step_has_the_rows_of_its_findings():
    rows = {}
    for name, step in STEPS.items():
        # These are tried above, or by tests of their own.
        if name not in ('tests', 'train', 'compile', 'parallel_clients'):
            module = module_of(step)
            rows[name] = module.measure(module.parse_args(step.tiny.split()))
    rows['compile'] = [
        Row(f'micro fp32 1 levels{name}, speed', value, 'images/s')
        for name, value in (('', 2.), (' compiled', 3.))
    ]
    rows['parallel_clients'] = [
        Row('micro, 2 processes sharing batches, speed of one process', 1.,
            'x'),
        Row('micro, 2 processes sharing clients, speed of one process', 2.,
            'x')
    ]
    findings = {
        finding['name']: finding
        for finding in list_findings(rows)
    }
    assert list(findings) == [finding.name for finding in FINDINGS]
    assert findings['compiled: speed / plain']['value'] == 1.5
    sharing = 'processes sharing clients: speed / one process'
    assert findings[sharing]['value'] == 2.
    shares = findings['federation, share of a round']
    assert 0 < shares['value'] < 100


@pytest.mark.parametrize('value, bound, expected', [
    (4., '>= 4', True), (3.9, '>= 4', False), (1., '> 1', False),
    (1.05, '<= 1.05', True), (1., '< 1', False), (.9, '< 1', True),
])  # yapf: disable
def test_bounds(value, bound, expected):
    assert is_met(value, bound) is expected


def test_only_modules_with_tests_for_a_gpu_are_imported(tmp_path):
    (tmp_path / 'deep').mkdir()
    (tmp_path / 'deep/test_one.py').write_text('@pytest.mark.gpu\n')
    (tmp_path / 'test_two.py').write_text('import what_is_not_here\n')
    assert gpu_tests.find_tests(tmp_path) == [
        str(tmp_path / 'deep/test_one.py')
    ]
