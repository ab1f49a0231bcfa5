"""A federation over Flower's messages, in this process."""

import copy
from unittest import mock

from mmpose_raf.flower.client_app import app
from mmpose_raf.flower.deployment import Deployment
from mmpose_raf.flower.local_grid import LocalGrid
from mmpose_raf.flower.server_run import run_server


def write_config(cfg, path):
    """Write a config to a file, as users have it."""
    path.write_text('\n'.join(f'{key} = {value!r}' for key, value in
                              cfg.to_dict().items()))
    return str(path)


def grid_of(cfg, folder, names=None, **node_config):
    """Nodes for the clients of a config.

    Args:
        cfg (Config): The config.
        folder (Path): Where the clients' folders are made.
        names (list[str]): Those that are there. Defaults to all.
        **node_config: What stands in each node's config besides.
    """
    path = write_config(cfg, folder / 'clients.py')
    names = names or [c['name'] for c in cfg.custom_hooks[0]['clients']]
    return LocalGrid({
        number: (app, dict(client=name, config=path,
                           folder=str(folder / f'client_{name}'),
                           **node_config))
        for number, name in enumerate(names, 100)
    })


def deploy(cfg, folder, grid=None, **options):
    """Train a config of ``tests.toy`` over the messages; return the runner.

    Args:
        cfg (Config): The config.
        folder (Path): Where all files go.
        grid (Grid): Defaults to a node for each client.
        **options: See :class:`Deployment`.
    """
    cfg = copy.deepcopy(cfg)
    path = write_config(cfg, folder / 'server.py')
    options = {
        **dict(work_dir=str(folder / 'server'), evaluate='none', wait=1),
        **options
    }
    with mock.patch('mmengine.runner.runner.get_device', lambda: 'cpu'):
        return run_server(grid or grid_of(cfg, folder),
                          Deployment(config=path, **options))
