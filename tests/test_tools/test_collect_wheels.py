"""Wheels for a machine without a package index."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / 'tools/collect_wheels.py'
# The letters of a name and what joins them do not matter.
RESOLVED = [('Torch_Like', '2.1'), ('numpy', '1.26.4'), ('munkres', '1.1.4')]


class Pip:
    """Stands for pip: resolves to RESOLVED, and downloads empty wheels."""

    def __init__(self):
        self.failing = None
        self.downloaded = []

    def __call__(self, *args):
        if self.failing == args[0]:
            raise subprocess.CalledProcessError(1, args)
        if args[0] == 'install':
            report = dict(install=[
                dict(metadata=dict(name=name, version=version))
                for name, version in RESOLVED
            ])
            Path(args[args.index('--report') + 1]).write_text(
                json.dumps(report))
            return
        folder = Path(args[args.index('--dest') + 1])
        self.downloaded = [arg for arg in args if '==' in arg]
        for pin in self.downloaded:
            name = f'{pin.replace("==", "-")}-py3-none-any.whl'
            (folder / name).write_bytes(bytes(2**19))


@pytest.fixture
def pip():
    return Pip()


@pytest.fixture
def collect(tmp_path, monkeypatch, pip):
    """Calls the script; returns its exit code."""
    spec = importlib.util.spec_from_file_location('collect_wheels', PATH)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, 'pip', pip)

    def call(*args):
        monkeypatch.setattr(sys, 'argv', [
            str(PATH),
            str(tmp_path / 'wheels'), '--requirements', 'needed.txt', *args
        ])
        return script.main()

    return call


def test_what_the_machine_has_is_left_out(collect, pip, tmp_path, capsys):
    (tmp_path / 'wheels').mkdir()
    (tmp_path / 'wheels/old-1-py3-none-any.whl').touch()
    assert collect('--extra', 'mmpose==1.3.2', '--have', 'torch-like',
                   'NumPy') == 0
    assert pip.downloaded == ['munkres==1.1.4', 'mmpose==1.3.2']
    assert capsys.readouterr().out.splitlines() == [
        'mmpose-1.3.2-py3-none-any.whl', 'munkres-1.1.4-py3-none-any.whl',
        '2 wheels, 1.0 MiB'
    ]


@pytest.mark.parametrize('failing', ['install', 'download'])
def test_nothing_is_lost_where_pip_fails(collect, pip, tmp_path, capsys,
                                         failing):
    (tmp_path / 'wheels').mkdir()
    (tmp_path / 'wheels/old-1-py3-none-any.whl').touch()
    pip.failing = failing
    assert collect() == 1
    assert capsys.readouterr().err == 'error: pip: exit code 1\n'
    assert (tmp_path / 'wheels/old-1-py3-none-any.whl').exists()
