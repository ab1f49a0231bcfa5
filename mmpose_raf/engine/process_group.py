"""Several processes where there are fewer GPUs, or none."""

import os
from contextlib import contextmanager
from typing import Iterator

import torch
import torch.distributed as dist
from mmengine.config import Config


@contextmanager
def process_group(cfg: Config) -> Iterator[None]:
    """While open, the processes that ``torchrun`` has started can talk.

    MMEngine gives each process a GPU of its own. Where there are not enough,
    or none, they are shared here, and gloo is used: NCCL takes one process a
    GPU. Without ``launcher='pytorch'`` nothing is done, and where there are
    enough, MMEngine does what it always does.

    Args:
        cfg (Config): The config of the run; changed in place.
    """
    if cfg.get('launcher') != 'pytorch':
        yield
        return
    num_gpus = torch.cuda.device_count()
    if int(os.environ['LOCAL_WORLD_SIZE']) > num_gpus:
        if num_gpus:
            local_rank = int(os.environ['LOCAL_RANK']) % num_gpus
            os.environ['LOCAL_RANK'] = str(local_rank)
            torch.cuda.set_device(local_rank)
        elif cfg.get('model_wrapper_cfg') is None:
            cfg.model_wrapper_cfg = dict(
                type='MMDistributedDataParallel',
                device_ids=None,
                broadcast_buffers=False)
        # MMEngine leaves a group alone that is already there.
        dist.init_process_group('gloo')
    try:
        yield
        # Or one may still be sending when another ends, which aborts it.
        dist.barrier()
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
