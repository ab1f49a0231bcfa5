"""Files of weights: PyTorch's and safetensors'."""

import json
from pathlib import Path
from typing import Dict, Optional

from mmengine.fileio import get_local_path
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from mmpose_raf.errors import ConfigError, describe_error

StateDict = Dict[str, Tensor]

FIELD = 'init_cfg.checkpoint'
# Where training programs put the weights within a file.
CONTAINERS = ('state_dict', 'model', 'module', 'teacher')


def read_weights(filename: str) -> StateDict:
    """Read all tensors of a file.

    Args:
        filename (str): A path or URL. With the ending ``.safetensors`` it is
            read by safetensors, anything else (``.pth``, ``.bin``, ...) as
            MMEngine reads checkpoints.

    Returns:
        dict[str, Tensor]: The tensors, on the CPU, by their names.

    Raises:
        ConfigError: If the file is missing or cannot be read.
    """
    filename = str(filename)
    if '://' not in filename and not Path(filename).is_file():
        raise ConfigError(FIELD, f'no such file: {filename}',
                          'give the path or URL of a file of weights')
    if filename.endswith('.safetensors'):
        return _read_safetensors(filename)
    checkpoint = CheckpointLoader.load_checkpoint(filename, map_location='cpu')
    for container in CONTAINERS:
        if isinstance(checkpoint.get(container), dict):
            checkpoint = checkpoint[container]
    return {
        key: value
        for key, value in checkpoint.items() if isinstance(value, Tensor)
    }


def _read_safetensors(filename: str) -> StateDict:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        raise ConfigError(FIELD, f'{filename} needs safetensors to be read',
                          'pip install safetensors') from None
    with get_local_path(filename) as path:
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ConfigError(FIELD, f'{filename}: {describe_error(error)}',
                              'give a whole file') from None


def read_num_heads(filename: str) -> Optional[int]:
    """Number of attention heads in the ``config.json`` beside a file.

    No weight has a shape that depends on it. Models of Hugging Face
    transformers come with such a file.

    Returns:
        int, optional: The number, or None where no such file tells it.
    """
    path = Path(filename).with_name('config.json')
    if not path.is_file():
        return None
    try:
        config = json.loads(path.read_text())
        config = config.get('backbone_config') or config
        return config.get('num_attention_heads')
    except (ValueError, AttributeError) as error:
        raise ConfigError(FIELD, f'{path}: {describe_error(error)}',
                          'mend the file, or move it away') from None
