"""Saving checkpoints so that a run can be killed at any time.

MMEngine writes a checkpoint, and the file that names the last one, in place,
and deletes what is superseded before the new file exists.
"""

import functools
from pathlib import Path
from typing import Callable, List

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.utils import mkdir_or_exist

from mmpose_raf.atomic_file import write_atomically
from mmpose_raf_compat.replacing import replace_everywhere
from .encoding import encode


def install() -> None:
    """Make MMEngine write encoded checkpoints, whole, before it deletes.

    - Every checkpoint goes through :func:`~.encoding.encode`.
    - Its file backend for local files writes atomically.
    - ``CheckpointHook`` deletes a superseded file when the new one and the
      file that names it are on the disk.
    """
    save = mmengine_checkpoint.save_checkpoint

    @functools.wraps(save)
    def save_encoded(checkpoint, *args, **kwargs):
        return save(encode(checkpoint), *args, **kwargs)

    replace_everywhere(save, save_encoded)
    LocalBackend.put = _put
    CheckpointHook._save_checkpoint_with_step = _save_with_step
    CheckpointHook._save_best_checkpoint = _deleting_late(
        CheckpointHook._save_best_checkpoint)


def _put(self, obj: bytes, filepath) -> None:
    """Write bytes to a file, atomically; see ``LocalBackend.put``."""
    mkdir_or_exist(Path(filepath).parent)
    write_atomically(filepath, obj)


class _LateRemoval:
    """A file backend that keeps in mind what it shall remove.

    Args:
        backend (BaseStorageBackend): Does everything else.
    """

    def __init__(self, backend):
        self._backend = backend
        self._removals: List[Callable[[], None]] = []

    def __getattr__(self, name: str):
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        """Remove a file, later."""
        self._removals.append(functools.partial(self._backend.remove, path))

    def rmtree(self, path: str) -> None:
        """Remove a folder, later."""
        self._removals.append(functools.partial(self._backend.rmtree, path))

    def remove_now(self) -> None:
        """Remove what was to be removed."""
        for removal in self._removals:
            removal()


def _deleting_late(save: Callable) -> Callable:
    """Have a method of ``CheckpointHook`` delete files at its end."""

    @functools.wraps(save)
    def save_and_delete(self, *args, **kwargs):
        backend = self.file_backend
        self.file_backend = late = _LateRemoval(backend)
        try:
            save(self, *args, **kwargs)
        finally:
            self.file_backend = backend
        late.remove_now()

    return save_and_delete


@_deleting_late
def _save_with_step(self, runner, step: int, meta: dict) -> None:
    """Save a checkpoint, name it the last one, delete what is too old.

    In the place of ``CheckpointHook._save_checkpoint_with_step``, which
    writes the name in place.
    """
    _forget_oldest(self, runner, step)
    filename = self.filename_tmpl.format(step)
    self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
    runner.message_hub.update_info('last_ckpt', self.last_ckpt)
    runner.save_checkpoint(
        self.out_dir,
        filename,
        self.file_client_args,
        save_optimizer=self.save_optimizer,
        save_param_scheduler=self.save_param_scheduler,
        meta=meta,
        by_epoch=self.by_epoch,
        backend_args=self.backend_args,
        **self.args)
    if is_main_process():
        write_atomically(
            Path(runner.work_dir, 'last_checkpoint'), self.last_ckpt.encode())


def _forget_oldest(hook: CheckpointHook, runner, step: int) -> None:
    """Keep this step in mind, and at most ``max_keep_ckpts`` of them."""
    if hook.max_keep_ckpts <= 0 or step in hook.keep_ckpt_ids:
        return
    if len(hook.keep_ckpt_ids) == hook.max_keep_ckpts:
        oldest = hook.filename_tmpl.format(hook.keep_ckpt_ids[0])
        path = hook.file_backend.join_path(hook.out_dir, oldest)
        if is_main_process() and hook.file_backend.exists(path):
            remove = (
                hook.file_backend.rmtree if hook.file_backend.isdir(path) else
                hook.file_backend.remove)  # deepspeed's are folders
            remove(path)
    hook.keep_ckpt_ids.append(step)  # a deque of that length
    runner.message_hub.update_info('keep_ckpt_ids', list(hook.keep_ckpt_ids))
