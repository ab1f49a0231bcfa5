"""Processes of their own for tests: their environment and their launch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
# Or threads of the process group may still run when a process ends, which
# aborts it.
GOODBYE = '''
torch.distributed.barrier()
torch.distributed.destroy_process_group()
'''


def environment():
    """One thread, no GPU, and this project in the path."""
    return dict(os.environ,
                PYTHONPATH=str(ROOT),
                OMP_NUM_THREADS='1',
                CUDA_VISIBLE_DEVICES='-1')


def launch(folder, text, *args):
    """Run a script in two processes under torchrun; fail unless both succeed.

    Args:
        folder (Path): Where the script is written, and its first argument.
        text (str): The script. It imports torch, and lets its configs
            :func:`take_part`.
        *args (str): Further arguments of it.
    """
    script = folder / 'script.py'
    script.write_text(text + GOODBYE)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    result = subprocess.run([
        sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2',
        '--master_addr=127.0.0.1', f'--master_port={port}',
        str(script),
        str(folder), *args
    ],
                            capture_output=True,
                            text=True,
                            timeout=300,
                            env=environment(),
                            cwd=ROOT)
    assert result.returncode == 0, result.stderr[-3000:]


def take_part(cfg):
    """Let a config run in a process of :func:`launch`, without a GPU."""
    # MMEngine's launcher takes it for granted that there are GPUs.
    torch.cuda.set_device = lambda device: None
    cfg.launcher = 'pytorch'
    cfg.model_wrapper_cfg = dict(device_ids=None, broadcast_buffers=False)
