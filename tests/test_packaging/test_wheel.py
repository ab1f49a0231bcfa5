"""The wheel, installed into an environment of its own."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import torch

import mmpose_raf

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    pytest.importorskip('hatchling')
    folder = tmp_path_factory.mktemp('wheel')
    subprocess.run([
        sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-index',
        '--no-build-isolation', '-w', folder, ROOT
    ], check=True)
    path, = folder.iterdir()
    return path


@pytest.fixture(scope='module')
def environment(wheel, tmp_path_factory):
    """A new environment that finds what is installed here, but for us."""
    folder = tmp_path_factory.mktemp('environment')
    venv.create(folder, with_pip=False)
    python = folder / 'bin/python'
    site, = folder.glob('lib/python*/site-packages')
    others = sysconfig.get_path('purelib')
    (site / 'others.pth').write_text(
        f'import site; site.addsitedir({others!r})\n')
    subprocess.run([
        sys.executable, '-m', 'pip', '--python', python, 'install', '-q',
        '--no-deps', '--no-index', wheel
    ], check=True)
    return folder


def run(environment, *command, cwd):
    """Run a command of the environment; return what it printed."""
    variables = {
        name: value
        for name, value in os.environ.items() if name != 'PYTHONPATH'
    }
    result = subprocess.run([environment / 'bin' / command[0], *command[1:]],
                            capture_output=True,
                            text=True,
                            cwd=cwd,
                            env=dict(variables, CUDA_VISIBLE_DEVICES='-1'))
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


@pytest.mark.slow
def test_files(wheel):
    """Each file of configs and tools; the licence; the code and no tests."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ('configs', 'tools'):
        files = {
            f'mmpose_raf/.mim/{path.relative_to(ROOT)}'
            for path in (ROOT / folder).rglob('*.*')
            if path.is_file() and path.suffix in ('.py', '.yml')
        }
        assert files and files <= names
    assert {
        'mmpose_raf.pth', 'mmpose_raf/.mim/model-index.yml',
        f'mmpose_raf-{mmpose_raf.__version__}.dist-info/licenses/LICENSE'
    } <= names
    # From which `mim run mmpose_raf` learns where the tools are.
    top_level = f'mmpose_raf-{mmpose_raf.__version__}.dist-info/top_level.txt'
    assert zipfile.ZipFile(wheel).read(top_level) == b'mmpose_raf\n'
    assert {name.partition('/')[0] for name in names} == {
        'mmpose_raf', 'mmpose_raf_compat', 'mmpose_raf.pth',
        f'mmpose_raf-{mmpose_raf.__version__}.dist-info'
    }


CONFIG = '''
_base_ = ['mmpose_raf::raf_demo.py']
train_dataloader = dict(
    batch_size=8, num_workers=0, persistent_workers=False,
    dataset=dict(num_samples=24))
val_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(num_samples=8))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1, val_interval=1)
'''


@pytest.mark.slow
def test_training_from_an_empty_directory(environment, tmp_path):
    (tmp_path / 'mine.py').write_text(CONFIG)
    printed = run(environment, 'mmpose-raf', 'train', 'mine.py', cwd=tmp_path)
    assert 'Round [1/1]' in printed
    saved = torch.load(
        tmp_path / 'work_dirs/mine/epoch_1.pth', weights_only=True)
    assert len(saved['federation']['clients']) == 3
    # By module, and a set of experiments by its name.
    listed = run(
        environment,
        'python',
        '-m',
        'mmpose_raf',
        'experiments',
        'mmpose_raf::experiments/demo.py',
        '--list',
        cwd=tmp_path)
    assert 'seed0' in listed


@pytest.mark.slow
def test_scripts_that_import_mmpose_first(environment, tmp_path):
    """And that find this package, not the repository."""
    printed = run(
        environment,
        'python',
        '-c',
        'import mmpose.apis, mmpose.models, mmpose_raf; '
        'print(mmpose_raf.__file__)',
        cwd=tmp_path)
    assert printed.splitlines()[-1].startswith(str(environment))
