"""What an aggregator says about the updates that it is given."""

from contextlib import contextmanager
from typing import Iterator

from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import FederationError
from .settings_checks import KEY


@contextmanager
def plugin_errors() -> Iterator[None]:
    """Tell in one line what an aggregator cannot work with."""
    try:
        yield
    except FederationError as error:
        raise ConfigError(f'{KEY}.aggregator', str(error),
                          'see its documentation') from error
