"""Config files that are read with one line for every error."""

from pathlib import Path
from typing import Union

from mmengine.config import Config

from mmpose_raf.errors import ConfigError, describe_error
from mmpose_raf_compat.own_configs import find_own_config


def read_config(path: Union[str, Path], field: str = 'config') -> Config:
    """Read a config file of MMEngine.

    Args:
        path (str | Path): The file, or the name of a config that comes with
            the package, e.g. ``mmpose_raf::raf_demo.py``.
        field (str): What the user calls it. Defaults to ``'config'``.

    Raises:
        ConfigError: If it is missing or broken.
    """
    path = find_own_config(str(path))
    if not Path(path).is_file():
        raise ConfigError(field, f'no such file: {path}',
                          'give the path of a config, or the name of one '
                          'that comes with the package: mmpose_raf::NAME')
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
