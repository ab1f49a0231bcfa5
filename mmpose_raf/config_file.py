"""Config files that are read with one line for every error."""

from pathlib import Path
from typing import Union

from mmengine.config import Config

from mmpose_raf.errors import ConfigError, describe_error


def read_config(path: Union[str, Path], field: str = 'config') -> Config:
    """Read a config file of MMEngine.

    Args:
        path (str | Path): The file.
        field (str): What the user calls it. Defaults to ``'config'``.

    Raises:
        ConfigError: If it is missing or broken.
    """
    if not Path(path).is_file():
        raise ConfigError(field, f'no such file: {path}',
                          'give the path of a config, see configs/')
    try:
        return Config.fromfile(path)
    except Exception as error:  # a config is a program: it may raise anything
        raise ConfigError(field, f'{path}: {describe_error(error)}',
                          'mend the config') from error


def merge_options(config: Config, options: dict, field: str):
    """Merge options of the command line into a config.

    Args:
        config (Config): The config, changed in place.
        options (dict): Values by dotted name, as ``DictAction`` parses them.
        field (str): Name of the option.

    Raises:
        ConfigError: If the config has no place for one.
    """
    try:
        config.merge_from_dict(options)
    except (AssertionError, AttributeError, LookupError, TypeError) as error:
        raise ConfigError(field, describe_error(error),
                          'name fields of the config') from error
