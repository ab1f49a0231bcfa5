"""Evaluates a run that is already there."""

import shutil
from pathlib import Path
from typing import Optional, Sequence, Tuple

from mmengine.config import Config
from mmengine.runner import Runner

from mmpose_raf.config_file import read_config
from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.drift_result import (FILE_NAME, GALLERY_NAME,
                                                DriftResult)
from mmpose_raf.models.model_checkpoint import load_weights
from .settings_checks import KEY
from .personal_layers import publish_personal

LOOP = 'MultiResolutionTestLoop'


def evaluate_run(work_dir: Path,
                 input_sizes: Optional[Sequence[Tuple[int, int]]] = None
                 ) -> Path:
    """Evaluate the last checkpoint of a work dir at many resolutions.

    Args:
        work_dir (Path): Work dir with the config that MMEngine has put
            there.
        input_sizes (list[tuple[int, int]], optional): Sizes (w, h) in
            pixels. Defaults to None: those of the config's
            ``MultiResolutionTestLoop``.

    Returns:
        Path: The result's file.

    Raises:
        ConfigError: If the folder is no work dir of a run, or no sizes are
            known.
    """
    checkpoint = _last_checkpoint(work_dir)
    cfg = read_config(find_config(work_dir), str(work_dir))
    if input_sizes:
        cfg.test_cfg = multi_resolution_test(cfg.get('test_cfg'), input_sizes)
    elif (cfg.get('test_cfg') or {}).get('type') != LOOP:
        raise ConfigError(
            '--input-sizes', f'the config in {work_dir} tests at one size',
            'give sizes as HxW, e.g. 64x48 128x96 256x192')
    # Not in the work dir itself: the runner writes its config, and that of
    # the training must stay.
    folder = work_dir / 'drift'
    cfg.work_dir = str(folder)
    cfg.resume, cfg.load_from = False, None
    cfg.launcher = 'none'  # whatever the training was launched with
    for key in ('test_dataloader', 'test_evaluator'):
        if not cfg.get(key):
            raise ConfigError(f'{work_dir}: {key}', 'it is missing',
                              'add it to the config')
    runner = Runner.from_cfg(_without_training(cfg))
    saved = load_weights(runner.model, checkpoint, 'last_checkpoint')
    if KEY in saved:
        publish_personal(runner.message_hub, saved[KEY])
    runner.test()
    result = DriftResult.load(folder / FILE_NAME)
    result.name = work_dir.resolve().name
    result.save(work_dir / FILE_NAME)
    shutil.copy(folder / GALLERY_NAME, work_dir / GALLERY_NAME)
    return work_dir / FILE_NAME


def multi_resolution_test(test_cfg: Optional[dict],
                          input_sizes: Sequence[Tuple[int, int]]) -> dict:
    """Config of the test loop at other input sizes.

    Args:
        test_cfg (dict, optional): Config of a test loop; if it is one over
            many resolutions, its other options stay.
        input_sizes (list[tuple[int, int]]): Sizes (w, h) in pixels.
    """
    options = dict(test_cfg or {})
    if options.get('type') != LOOP:
        options = dict(type=LOOP)
    return dict(options, input_sizes=list(input_sizes))


def _last_checkpoint(work_dir: Path) -> Path:
    note = work_dir / 'last_checkpoint'
    if not note.is_file():
        raise ConfigError(str(work_dir), f'no {FILE_NAME} and no checkpoint',
                          'give the work dir of a run')
    path = Path(note.read_text().strip())
    # First in the folder itself, which may have been copied or moved since.
    own = work_dir / path.name
    return own if own.is_file() else path


def find_config(work_dir: Path) -> Path:
    """The one config in a work dir, which MMEngine has put there.

    Raises:
        ConfigError: If there is none, or several.
    """
    configs = sorted(work_dir.glob('*.py'))
    if len(configs) != 1:
        raise ConfigError(
            str(work_dir), f'it holds {len(configs)} configs',
            'leave there the one that the run was trained with')
    return configs[0]


def _without_training(cfg: Config) -> Config:
    for key in ('train_cfg', 'train_dataloader', 'optim_wrapper',
                'param_scheduler', 'val_cfg', 'val_dataloader',
                'val_evaluator'):
        cfg.pop(key, None)
    return cfg
