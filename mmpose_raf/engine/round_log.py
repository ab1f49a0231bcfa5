"""What a round logs: a line for each client and a table at its end."""

from typing import Dict, Optional, Sequence

from mmengine.runner import Runner

from mmpose_raf.datasets.client import Client
from mmpose_raf.federation import ClientUpdate, RoundReport
from mmpose_raf.tables import render_table

# Metrics of a client that the table has; its own line has the others.
COLUMNS = ('loss', 'acc_pose', 'arrival', 'staleness', 'update_norm',
           'update_cosine', 'weight')


def log_client(runner: Runner, client: Client, update: ClientUpdate,
               num_iters: int):
    """Log the end of a client's local training in one line."""
    values = dict(update.metrics)
    seconds = values.pop('seconds')
    parts = [
        f'{num_iters} iterations in {seconds:.1f} s', *(
            f'{key}: {value:.6g}' for key, value in values.items()
            if key not in COLUMNS and not _repeats_loss(key, values))
    ]
    runner.logger.info(f'Round [{runner.epoch + 1}/{runner.max_epochs}] '
                       f'client {client.name} ({client.resolution}): '
                       f'{"  ".join(parts)}')


def _repeats_loss(key: str, values: Dict[str, float]) -> bool:
    """Whether it is the only part of the loss, e.g. MMPose's loss_kpt."""
    # MMEngine adds up what has "loss" in its name.
    return [key] == [
        other for other in values if 'loss' in other and other != 'loss'
    ]


def log_refusal(runner: Runner, client: str, refusal: str):
    """Log why an update was refused."""
    runner.logger.error(
        f'The update of client {client} is refused: {refusal}')


def log_round(runner: Runner, clients: Sequence[Client], report: RoundReport,
              clock: Optional[float]):
    """Log a round as a table and to the visualisation backends.

    Args:
        runner (Runner): The runner.
        clients (list[Client]): All clients.
        report (RoundReport): What happened.
        clock (float, optional): Simulated seconds since the start.
    """
    updates = report.updates
    if report.too_few is not None:
        runner.logger.error(
            f'The aggregator needs {report.too_few} updates, there are '
            f'{len(updates)}: the global weights stay as they are')
    columns = [
        key for key in COLUMNS
        if any(key in update.metrics for update in updates)
    ]
    resolutions = {client.name: client.resolution for client in clients}
    rows = [[
        update.client, resolutions[update.client],
        str(update.num_samples), *(f'{update.metrics[key]:.4g}' if key in
                                   update.metrics else '-' for key in columns)
    ] for update in updates]
    # Why, an error line of its own has said.
    for word, names in (('refused', report.refused),
                        ('absent', report.absent)):
        rows += [[name, resolutions[name], word, *('-' for _ in columns)]
                 for name in names]
    present = len({update.client for update in updates})
    again = '' if len(updates) == present else f' ({len(updates)} trainings)'
    lines = [
        f'Round [{runner.epoch + 1}/{runner.max_epochs}], {present} of '
        f'{len(clients)} clients{again}:',
        render_table([
            'client', 'resolution', 'samples',
            *(key.replace('_', '\n') for key in columns)
        ], rows),
        f'Traffic: {report.traffic.down / 1e6:.3f} MB down, '
        f'{report.traffic.up / 1e6:.3f} MB up'
    ]
    scalars = {
        f'{update.client}/{key}': value
        for update in updates for key, value in update.metrics.items()
    }
    if clock is not None:
        lines.append(f'Simulated clock: {clock:.1f} s')
        scalars['federation/clock'] = clock
    runner.logger.info('\n'.join(lines))
    runner.visualizer.add_scalars(scalars, step=runner.epoch + 1)
