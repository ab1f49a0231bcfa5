"""Several processes where there are fewer GPUs, or none."""

import os
from contextlib import contextmanager
from datetime import timedelta
from typing import Iterator

import torch
import torch.distributed as dist
from mmengine.config import Config

from mmpose_raf.errors import ConfigError

DAY = 24 * 60 * 60


@contextmanager
def process_group(cfg: Config) -> Iterator[None]:
    """While open, the processes that ``torchrun`` has started can talk.

    MMEngine gives each process a GPU of its own. Where there are not enough,
    or none, they are shared here, and gloo is used: NCCL takes one process a
    GPU. Machines must be alike in this. Without ``launcher='pytorch'``
    nothing is done, and where there are enough GPUs, MMEngine does what it
    always does.

    Processes that train a client each meet at the end of a round: they wait
    for each other for a day, unless ``env_cfg.dist_cfg.timeout``, in seconds,
    says otherwise.

    Args:
        cfg (Config): The config of the run; changed in place.

    Raises:
        ConfigError: If ``torchrun`` has not started the process.
    """
    if cfg.get('launcher') != 'pytorch':
        yield
        return
    if 'LOCAL_WORLD_SIZE' not in os.environ:
        raise ConfigError('--launcher', 'there is only this process',
                          'start it with torchrun, or leave it out')
    dist_cfg = dict(backend='nccl', timeout=DAY)
    dist_cfg.update(cfg.get('env_cfg', {}).get('dist_cfg', {}))
    cfg.merge_from_dict(dict(env_cfg=dict(dist_cfg=dist_cfg)))
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
                broadcast_buffers=False,
                find_unused_parameters=cfg.get('find_unused_parameters',
                                               False))
        # MMEngine leaves a group alone that is already there.
        dist.init_process_group('gloo', timeout=timedelta(
            seconds=dist_cfg['timeout']))
    yield
    # Or one may still be sending when another ends, which aborts it. Not
    # after an error: the others would never come.
    dist.barrier()
    dist.destroy_process_group()
