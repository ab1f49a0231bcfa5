"""Two runs and one work dir."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mmpose_raf.errors import ConfigError
from mmpose_raf.work_dir_lock import FILE_NAME, lock_work_dir

ROOT = Path(__file__).parents[1]

# Holds the lock, and so does a child of it that outlives it.
HOLDER = '''
import multiprocessing
import sys
import time
from mmpose_raf.work_dir_lock import lock_work_dir
with lock_work_dir(sys.argv[1]):
    child = multiprocessing.get_context('fork').Process(
        target=time.sleep, args=(60, ))
    child.start()
    print(child.pid, flush=True)
    time.sleep(60)
'''


@pytest.fixture
def holder(tmp_path):
    """A process that has locked ``run`` in the folder."""
    process = subprocess.Popen(
        [sys.executable, '-c', HOLDER, str(tmp_path / 'run')],
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PYTHONPATH=str(ROOT)))
    child = int(process.stdout.readline())
    yield process
    process.kill()
    process.wait()
    process.stdout.close()
    os.kill(child, signal.SIGKILL)


@pytest.mark.slow
def test_another_process(holder, tmp_path):
    with pytest.raises(ConfigError) as error:
        with lock_work_dir(tmp_path / 'run'):
            pass
    assert error.value.field == 'work_dir'
    message = str(error.value)
    assert f'process {holder.pid} on {socket.gethostname()}, since 2' in \
        message
    assert str(tmp_path / 'run') in message and '\n' not in message

    with lock_work_dir(tmp_path / 'other'):
        pass
    # Its child lives on, as the workers of data loaders do for a while.
    holder.kill()
    holder.wait()
    with lock_work_dir(tmp_path / 'run'):
        assert f'process {os.getpid()}' in (tmp_path / 'run' /
                                            FILE_NAME).read_text()


def test_one_after_the_other(tmp_path):
    for _ in range(2):
        with lock_work_dir(tmp_path):
            assert os.listdir(tmp_path) == [FILE_NAME]


def test_released_by_an_error(tmp_path):
    with pytest.raises(KeyError):
        with lock_work_dir(tmp_path):
            raise KeyError
    code = ('import sys; from mmpose_raf.work_dir_lock import _lock; '
            'from pathlib import Path; _lock(Path(sys.argv[1]))')
    subprocess.run([sys.executable, '-c', code, str(tmp_path)],
                   check=True,
                   env=dict(os.environ, PYTHONPATH=str(ROOT)))


def test_no_folder(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='choose another') as error:
        with lock_work_dir(tmp_path / 'file' / 'run'):
            pass
    assert error.value.field == 'work_dir'
