"""What clients log, for tools that draw charts."""

import os.path as osp
import re
from typing import Dict, List, Sequence

from mmengine.dist import master_only
from mmengine.visualization import (LocalVisBackend, TensorboardVisBackend,
                                    Visualizer)

from mmpose_raf.federation import ClientUpdate

CATEGORY = 'Clients, by round'
FOLDER = 'clients'


class ClientCharts:
    """Makes what clients log comparable in TensorBoard and on disk.

    The visualizer's backends hold a client's values of each round as
    ``high/loss``, from which

    - TensorBoard's tab of custom scalars gets a chart for each quantity, with
      the lines of all clients;
    - ``vis_data/clients/high/scalars.json`` beside the local log gets those
      of one client, a line a round, as MMPose's ``analyze_logs.py`` reads
      them.

    Args:
        visualizer (Visualizer): The runner's.
    """

    def __init__(self, visualizer: Visualizer):
        backends = visualizer._vis_backends.values()
        self._boards = [
            backend for backend in backends
            if isinstance(backend, TensorboardVisBackend)
        ]
        self._folders = [
            osp.join(backend._save_dir, FOLDER) for backend in backends
            if isinstance(backend, LocalVisBackend)
        ]
        self._logs: Dict[str, List[LocalVisBackend]] = {}

    @master_only
    def add(self, updates: Sequence[ClientUpdate], round_: int):
        """Add a round, counted from 1."""
        for update in updates:
            for log in self._logs_of(update.client):
                log.add_scalars(dict(update.metrics, epoch=round_), round_)
        if updates:
            self._lay_out({key for update in updates
                           for key in update.metrics})

    def _logs_of(self, client: str) -> List[LocalVisBackend]:
        if client not in self._logs:
            self._logs[client] = [
                LocalVisBackend(osp.join(folder, client))
                for folder in self._folders
            ]
        return self._logs[client]

    def _lay_out(self, quantities: set):
        """Tell TensorBoard of the charts, which it takes once a run."""
        for board in self._boards:
            board.experiment.add_custom_scalars({
                CATEGORY: {
                    quantity: ['Multiline', [f'[^/]+/{re.escape(quantity)}$']]
                    for quantity in sorted(quantities)
                }
            })
        self._boards = []
