"""The Flower app of the server: ``serverapp`` in a ``pyproject.toml``."""

import logging

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from mmengine.logging import print_log

import mmpose_raf  # noqa: F401  registers everything
from mmpose_raf.errors import ConfigError, TrainingError
from .deployment import Deployment
from .server_run import run_server

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context):
    """Train; what a user can mend is the last line of the log."""
    try:
        run_server(grid, Deployment.of_run(dict(context.run_config)))
    except (ConfigError, TrainingError) as error:
        print_log(f'error: {error}', logger='current', level=logging.ERROR)
        raise
