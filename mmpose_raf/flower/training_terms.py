"""Whether server and client mean the same training."""

import json
from typing import Optional

from mmengine.config import Config

from mmpose_raf.engine.federation_settings import FederationSettings
from mmpose_raf.engine.resumed_federation import describe_run, differences
from mmpose_raf.version import __version__


def describe_training(cfg: Config, settings: FederationSettings) -> str:
    """What must be the same on the server and on all clients, as JSON.

    Data, devices and first weights are not in it.

    Args:
        cfg (Config): The config of a run.
        settings (FederationSettings): Its federation.
    """
    cfg = cfg.to_dict()
    return json.dumps(
        dict(
            describe_run(cfg),
            mmpose_raf=__version__,
            federation=dict(
                settings.identity(),
                payload=settings.payload,
                aggregator=settings.aggregator,
                local_objective=settings.local_objective,
                local_defence=settings.local_defence),
            param_scheduler=cfg.get('param_scheduler'),
            max_epochs=cfg['train_cfg'].get('max_epochs'),
            drop_last=cfg['train_dataloader'].get('drop_last', False)),
        sort_keys=True,
        default=str)


def find_difference(servers: str, own: str) -> Optional[str]:
    """The first place where two descriptions differ, in one line.

    Args:
        servers (str): What the server has sent.
        own (str): The client's own.

    Returns:
        str | None: None if they are the same.
    """
    try:
        there = json.loads(servers)
    except ValueError:
        return 'the server describes its training in no JSON'
    for place, theirs, ours in differences(there, json.loads(own)):
        return f'{place}: the server has {theirs}, this client {ours}'
    return None
