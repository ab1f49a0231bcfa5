"""Aggregators that hand updates on to others."""

from typing import Any

from mmpose_raf.building import build
from mmpose_raf.federation import Aggregator
from mmpose_raf.registry import AGGREGATORS


def build_aggregator(config: Any, field: str) -> Aggregator:
    """Build an aggregator, before it the one that it hands on to.

    Args:
        config (dict): Its config; that of the other is in it as ``then``.
        field (str): Where it stands, for messages.

    Raises:
        ConfigError: If there is no such type, or its arguments do not fit.
    """
    if isinstance(config, dict) and 'then' in config:
        then = config['then']
        config = dict(
            config, then=then and build_aggregator(then, f'{field}.then'))
    return build(AGGREGATORS, config, field)


def name_of(aggregator: Aggregator) -> str:
    """What an aggregator is called, and the one that it hands on to."""
    name = type(aggregator).__name__
    then = getattr(aggregator, 'then', None)
    return f'{name}, {name_of(then)}' if then else name
