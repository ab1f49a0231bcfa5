"""Memory and time of a round against the number of clients.

The work of a round stays: the same samples, in batches of one, shared by more
clients. Every number of clients runs in a process of its own; its peak is
that of the process (or of the GPU), and its time that of the rounds after the
first. Kept is the moments of each client (and the updates of the round), only
the updates, or nothing but their running mean. The defaults take six minutes,
most of them for 1000 clients.

    python -m benchmarks.many_clients
    python -m benchmarks.many_clients --clients 3 30 --samples 90
    python -m benchmarks.many_clients --device cuda --arch small \
        --state-device model
"""

import argparse
import statistics
import sys
import tempfile
import time
from typing import Dict, List

import torch
from mmengine.hooks import Hook

import benchmarks.federations as federations
from benchmarks.measuring import (MIB, Row, call_alone, do_nothing,
                                  find_device, make_parser, peak_of_process,
                                  run_benchmark, synchronize)
from benchmarks.subjects import ARCHS
from mmpose_raf.errors import ConfigError


# What is kept of a client that waits, by name.
KEEPING = dict(
    moments=dict(optimizer_state='keep'),
    updates=dict(optimizer_state='reset'),
    nothing=dict(optimizer_state='reset', keep_updates=False))


class RoundTimes(Hook):
    """Notes when rounds begin."""

    priority = 0

    def __init__(self, device: torch.device):
        self.device = device
        self.times: List[float] = []

    def before_train_epoch(self, runner):
        """A round begins."""
        self._note()

    def after_train(self, runner):
        """The last round has ended."""
        self._note()

    def _note(self):
        synchronize(self.device)
        self.times.append(time.perf_counter())


def parse_args(args=None):
    """Options of the command line."""
    parser = make_parser(__doc__, repeats=1)
    parser.add_argument('--arch', choices=ARCHS, default='micro')
    parser.add_argument(
        '--clients', nargs='+', type=int, default=[3, 30, 300, 1000])
    parser.add_argument(
        '--samples', type=int, default=1000, help='of all clients together')
    parser.add_argument('--rounds', type=int, default=2)
    parser.add_argument(
        '--keeping', nargs='+', choices=KEEPING, default=list(KEEPING))
    parser.add_argument(
        '--state-device', choices=['cpu', 'model'], default='cpu')
    return parser.parse_args(args)


def train(options: argparse.Namespace, num_clients: int,
          keeping: str) -> tuple:
    """Seconds of a round, and the GPU's peak in MiB (0 without one)."""
    device = torch.device(options.device)
    torch.set_num_threads(options.threads)
    times = RoundTimes(device)
    with tempfile.TemporaryDirectory() as work_dir:
        federations.run(
            federations.make_run_config(
                options.arch,
                num_clients,
                options.samples,
                1,
                work_dir,
                rounds=options.rounds,
                amp=options.amp[0],
                **KEEPING[keeping],
                execution=dict(state_device=options.state_device)), device,
            times)
    spans = [
        end - start for start, end in zip(times.times, times.times[1:])
    ]
    peak = torch.cuda.max_memory_allocated(
        device) / MIB if device.type == 'cuda' else 0.
    return statistics.median(spans[1:] or spans), peak


def measure(options) -> List[Row]:
    """All rows of the benchmark.

    Raises:
        ConfigError: If clients would have no samples.
    """
    device = find_device(options.device)
    if max(options.clients) > options.samples:
        raise ConfigError('--samples', f'got {options.samples}',
                          f'give {max(options.clients)} clients one each')
    # One for all processes, small matrices gain nothing from more.
    options.threads = torch.get_num_threads()
    settings = [(count, kept) for count in options.clients
                for kept in options.keeping]
    seen: Dict[tuple, list] = {setting: [] for setting in settings}
    for _ in range(options.repeats):
        for setting in settings:
            (seconds, on_gpu), in_process = call_alone(train, options,
                                                       *setting)
            peak = on_gpu if device.type == 'cuda' else in_process
            seen[setting].append((seconds, peak))
    rows = [
        Row('libraries alone, peak memory', peak_of_process(do_nothing), 'MiB')
    ] if device.type != 'cuda' else []
    for count, kept in settings:
        seconds, peaks = zip(*seen[count, kept])
        name = f'{options.arch}, {count} clients, {kept}'
        rows.append(Row(f'{name}, round', statistics.median(seconds), 's'))
        # Not measured in one process is measured in none.
        rows.append(
            Row(f'{name}, peak memory',
                peaks[0] if isinstance(peaks[0], str) else max(peaks), 'MiB'))
    return rows


if __name__ == '__main__':
    sys.exit(run_benchmark(parse_args, measure))
