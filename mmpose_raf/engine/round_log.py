"""What a round tells: a line for each client and a table at its end."""

from typing import Optional, Sequence

from mmengine.runner import Runner

from mmpose_raf.datasets.client import Client
from mmpose_raf.federation import ClientUpdate, RoundReport
from mmpose_raf.tables import render_table

# Metrics of a client that the table has; its own line has all.
COLUMNS = ('loss', 'acc_pose', 'seconds', 'arrival', 'staleness',
           'update_norm', 'update_cosine', 'weight')


def log_client(runner: Runner, client: Client, update: ClientUpdate,
               num_iters: int):
    """Log the end of a client's local training in one line."""
    values = '  '.join(f'{key}: {value:.6g}'
                       for key, value in update.metrics.items())
    runner.logger.info(
        f'Round [{runner.epoch + 1}/{runner.max_epochs}] client '
        f'{client.name} ({client.resolution}): {num_iters} iterations  '
        f'{values}')


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
        str(update.num_samples), *(f'{update.metrics[key]:.5g}' if key in
                                   update.metrics else '-' for key in columns)
    ] for update in updates]
    rows += [[name, resolutions[name], f'refused: {refusal}',
              *('-' for _ in columns)]
             for name, refusal in report.refused.items()]
    rows += [[name, resolutions[name], f'absent: {reason}',
              *('-' for _ in columns)]
             for name, reason in report.absent.items()]
    present = len({update.client for update in updates})
    again = '' if len(updates) == present else f' ({len(updates)} trainings)'
    lines = [
        f'Round [{runner.epoch + 1}/{runner.max_epochs}], {present} of '
        f'{len(clients)} clients{again}:',
        render_table(['client', 'resolution', 'samples', *columns], rows),
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
