"""Checkpoints that must fit a model, to the last weight."""

from pathlib import Path
from typing import Union

from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmpose_raf.checkpoints.fitting import load_fitting, weights_of
from mmpose_raf.errors import ConfigError


def load_weights(model: nn.Module,
                 path: Union[str, Path],
                 field: str = 'checkpoint') -> dict:
    """Load all weights of a model from a checkpoint.

    MMEngine only warns of weights that are missing or of other shapes, and a
    result of half a model is worse than none.

    Args:
        model (nn.Module): The model, changed in place.
        path (str | Path): The checkpoint.
        field (str): What the user calls it. Defaults to ``'checkpoint'``.

    Returns:
        dict: The checkpoint, with whatever else it holds.

    Raises:
        ConfigError: If the file is missing or of another architecture.
    """
    if not Path(path).is_file():
        raise ConfigError(field, f'no such file: {path}', 'give its path')
    checkpoint = CheckpointLoader.load_checkpoint(
        str(path), map_location='cpu')
    weights = {
        name.removeprefix('module.'): value
        for name, value in weights_of(checkpoint, str(path)).items()
    }
    fit = load_fitting(model, weights)
    if not fit.is_whole:
        raise ConfigError(field, f'{path}: {fit.describe()}',
                          'give a checkpoint of this config')
    return checkpoint
