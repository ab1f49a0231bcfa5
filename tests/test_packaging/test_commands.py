"""The command line as a whole."""

import pytest

import mmpose_raf
from mmpose_raf.__main__ import main
from mmpose_raf.commands import COMMANDS


@pytest.mark.parametrize('name', COMMANDS)
def test_help_of_a_command(name, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([name, '--help'])
    assert exit_.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f'usage: mmpose-raf {name} ')


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        main(['--help'])
    printed = capsys.readouterr().out
    assert all(f'    {name}' in printed for name in COMMANDS)


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(['--version'])
    assert capsys.readouterr().out == f'mmpose_raf {mmpose_raf.__version__}\n'


@pytest.mark.parametrize('arguments', [[], ['--rounds'], ['trian']])
def test_no_such_command(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert 'usage: mmpose-raf' in capsys.readouterr().err
