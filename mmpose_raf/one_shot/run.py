"""One-shot learning from the first client to the global model."""

import hashlib
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any, List, Optional, Sequence

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader, save_checkpoint
from mmpose.registry import MODELS

from mmpose_raf.atomic_file import write_atomically
from mmpose_raf.building import build
from mmpose_raf.engine.preflight import read_settings
from mmpose_raf.engine.run_end import telling_how_to_go_on
from mmpose_raf.errors import ConfigError
from mmpose_raf.models.codecs import is_udp
from mmpose_raf.work_dir_lock import lock_work_dir
from .argument_checks import KEY
from .client_training import check_clients, client_config, train_clients
from .inversion import Inverted
from .one_shot_settings import OneShotSettings, check_federation
from .pose_prior import ClientPoses, DatasetPoses, PosePrior
from .pose_statistics import KEY as POSES
from .pose_statistics import PoseStatistics
from .server_side import ServerSide

#: The global model, and the folder of the images, in a work dir.
FILE_NAME, IMAGES = 'one_shot.pth', 'images'


def run_one_shot(cfg: Config) -> Path:
    """Learn in one round: clients, inversion, distillation.

    Every client's run lies in ``clients/NAME`` of the work dir and resumes at
    a round's end, the images in ``images``, batch by batch; what is there is
    taken as it is. The distillation starts anew if it was broken off. The end
    is the same each time.

    Args:
        cfg (Config): Config of a federation with ``one_shot``. With
            ``resume`` it goes on in its work dir.

    Returns:
        Path: Checkpoint of the global model, which ``last_checkpoint`` names.

    Raises:
        ConfigError: If a setting is not what it may be, or the work dir holds
            something else.
    """
    work_dir = Path(cfg.work_dir)
    settings = OneShotSettings.of_config(cfg)
    federation = read_settings(cfg)
    check_federation(federation)
    with DefaultScope.overwrite_default_scope(
            cfg.get('default_scope', 'mmengine')):
        model = build(MODELS, cfg.model, 'model')
        settings.check_model(model)
        prior: Optional[PosePrior] = None
        if settings.pose_prior:
            prior = DatasetPoses(settings.pose_prior, model.head.out_channels,
                                 is_udp(model.head.decoder))
    _check_work_dir(work_dir, cfg.get('resume', False))
    clients = {
        client.name: client_config(cfg, federation, client.name, prior is None)
        for client in federation.clients
    }
    check_clients(clients)
    with lock_work_dir(work_dir), telling_how_to_go_on(
            cfg.work_dir, saved='clients'):
        checkpoints = train_clients(clients)
        prior = prior or ClientPoses(
            [PoseStatistics(**saved[POSES]) for saved in checkpoints])
        states = [saved['state_dict'] for saved in checkpoints]
        identity = dict(
            clients=_digest(states), seed=federation.seed,
            settings=repr(asdict(settings)))
        with DefaultScope.overwrite_default_scope(
                cfg.get('default_scope', 'mmengine')):
            server = ServerSide(cfg, settings, federation, states, prior)
            batches = _invert_all(server, work_dir / IMAGES, identity)
            loss = server.distil(batches)
        _log(f'Distillation: loss {loss:.6f} in the last epoch')
        return _save(cfg, server, checkpoints[0]['meta'], work_dir)


def _check_work_dir(work_dir: Path, resume: bool):
    begun = (work_dir / 'clients').exists()
    if begun and not resume:
        raise ConfigError('work_dir', f'{work_dir} already holds a run',
                          'continue it with --resume, or choose another '
                          '--work-dir')
    if (work_dir / 'last_checkpoint').is_file() and not (
            work_dir / FILE_NAME).is_file():
        raise ConfigError('work_dir', f'{work_dir} holds a run of another '
                          'kind', 'choose another --work-dir')
    if resume and not begun:
        raise ConfigError('--resume', f'{work_dir} holds no run',
                          'leave it out to start')


def _digest(states: Sequence[dict]) -> str:
    """A hash of weights."""
    digest = hashlib.sha256()
    for state in states:
        for name, value in state.items():
            digest.update(name.encode())
            digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _invert_all(server: ServerSide, folder: Path,
                identity: dict) -> List[Inverted]:
    """All images; those that are there are read."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = server.settings
    total = -(-settings.num_images // settings.batch_size)
    batches = []
    for number in range(total):
        path = folder / f'{number:04d}.pth'
        if path.is_file():
            saved = CheckpointLoader.load_checkpoint(
                str(path), map_location='cpu', logger='silent')
            if saved['identity'] != identity:
                raise ConfigError(
                    KEY, f'{folder} was made with other settings or clients',
                    'remove that folder, or choose another --work-dir')
            batch = Inverted(**saved['images'])
        else:
            batch = server.invert(number)
            _write(path, dict(identity=identity, images=batch._asdict()))
            _log(f'Inversion: batch {number + 1} of {total}')
        batches.append(batch)
    return batches


def _write(path: Path, content: Any):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


def _save(cfg: Config, server: ServerSide, meta: dict,
          work_dir: Path) -> Path:
    """Write the model as a checkpoint of MMPose, beside its config."""
    path = work_dir / FILE_NAME
    text = cfg.pretty_text
    name = Path(cfg.filename).name if cfg.filename else 'one_shot.py'
    (work_dir / name).write_text(text)
    save_checkpoint(
        dict(meta=dict(meta, cfg=text), state_dict=server.model.state_dict()),
        str(path))
    write_atomically(work_dir / 'last_checkpoint', str(path).encode())
    return path


def _log(text: str):
    MMLogger.get_current_instance().info(text)
