"""The command line that writes a client's model."""

import torch

from tests.tool_main import tool_main
from tests.toy import run, toy_config


def test_a_clients_model_is_written_once(tmp_path, monkeypatch, capsys):
    run(toy_config(tmp_path, rounds=1, local_params='norm'))
    out = tmp_path / 'low.pth'
    arguments = (tmp_path / 'epoch_1.pth', 'low', '-o', out)
    assert tool_main('export-client', monkeypatch, *arguments) == 0
    assert str(out) in capsys.readouterr().out
    assert 'state_dict' in torch.load(out, weights_only=True)

    assert tool_main('export-client', monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: --out: ') and error.count('\n') == 1
