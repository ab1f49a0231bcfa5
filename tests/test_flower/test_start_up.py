"""A client's process starts anew for each message: what it may not import."""

import subprocess
import sys

import pytest

from tests.test_flower.deployed import write_config
from tests.toy import toy_config

SCRIPT = '''
import sys
import mmpose_raf.flower.client_app
from mmengine.runner import Runner
from mmpose_raf.config_file import read_config
from mmpose_raf.engine.preflight import read_settings
from mmpose_raf.flower.local_client import LocalClient

client = LocalClient('high', sys.argv[1], folder=sys.argv[2])
cfg = read_config(client.config)
Runner.from_cfg(client._localised(cfg, read_settings(cfg)))
assert 'mmpose.models' in sys.modules
print([name for name in ('mmpose.apis', 'mmdet.apis') if name in sys.modules])
'''


@pytest.mark.slow
@pytest.mark.parametrize('log_processor', [
    None, dict(type='LogProcessor', window_size=7, by_epoch=True)
], ids=['default', 'own'])
def test_no_inferencers_of_mmpose(tmp_path, log_processor):
    cfg = toy_config(tmp_path / 'run')
    cfg.custom_imports.imports.append('tests.toy')
    cfg.log_processor = log_processor
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT,
         write_config(cfg, tmp_path / 'config.py'), str(tmp_path / 'client')],
        capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == '[]'
