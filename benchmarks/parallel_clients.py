"""Several clients at a time: what processes gain, on one device or more.

The same federation is trained by one process; by several that share every
batch (MMEngine's way, ``parallel='batches'``), each a part of it; and by
several that share out the clients (``parallel='clients'``). All use the same
cores, or the same GPUs. The clients' sizes are those of the ladder, in turn,
unless ``--one-size``.

    python -m benchmarks.parallel_clients
    python -m benchmarks.parallel_clients --arch small --clients 3
    python -m benchmarks.parallel_clients --device cuda --arch tiny \
        --processes 2 4 --clients 8 --amp bf16
"""

import argparse
import os
import socket
import sys
import tempfile
from typing import List

import torch
from torch import multiprocessing

import benchmarks.federations as federations
from benchmarks.federations import RoundWatch, Stopwatch
from benchmarks.measuring import (Row, find_device, make_parser, note_of,
                                  run_benchmark, summarise)
from benchmarks.subjects import ARCHS
from mmpose_raf.engine.process_group import process_group
from mmpose_raf.errors import ConfigError


def parse_args(args=None):
    """Options of the command line."""
    parser = make_parser(__doc__, repeats=3)
    parser.add_argument('--arch', choices=ARCHS, default='tiny')
    parser.add_argument('--clients', type=int, default=6)
    parser.add_argument(
        '--samples', type=int, default=64, help='of each client')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument(
        '--workers', type=int, default=0, help='of each process')
    parser.add_argument('--processes', nargs='+', type=int, default=[2])
    parser.add_argument(
        '--rounds', type=int, default=4, help='of which the first not counts')
    parser.add_argument(
        '--one-size', action='store_true', help='all clients at the highest')
    return parser.parse_args(args)


def train(rank: int, options: argparse.Namespace, amp: str,
          num_processes: int, parallel: str, folder: str, port: int, seconds):
    """One process of a federation; the first one notes its rounds."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(num_processes),
        LOCAL_WORLD_SIZE=str(num_processes),
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port))
    torch.set_num_threads(max(1, options.threads // num_processes))
    device = torch.device(options.device)
    shares = num_processes if parallel == 'batches' else 1
    cfg = federations.make_run_config(
        options.arch,
        options.clients,
        options.clients * options.samples,
        options.batch_size // shares,
        folder,
        rounds=options.rounds,
        num_workers=options.workers,
        amp=amp,
        execution=dict(state_device='model', parallel=parallel))
    if options.one_size:
        for client in cfg.custom_hooks[0].clients:
            client.input_size = cfg.model.ladder[0]
    if num_processes > 1:
        cfg.launcher = 'pytorch'
    watch = RoundWatch(lambda runner: Stopwatch(device))
    with process_group(cfg):
        federations.run(cfg, device, watch)
    if rank == 0:
        seconds.put([sum(parts.values()) for parts in watch.rounds[1:]])


def time_rounds(options: argparse.Namespace, amp: str, num_processes: int,
                parallel: str) -> List[float]:
    """Seconds of the rounds but the first."""
    context = multiprocessing.get_context('spawn')
    seconds = context.SimpleQueue()
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(
            train,
            (options, amp, num_processes, parallel, folder, port, seconds),
            nprocs=num_processes)
        return seconds.get()


def measure(options) -> List[Row]:
    """All rows of the benchmark.

    Raises:
        ConfigError: If there are more processes than clients, or a batch
            cannot be shared.
    """
    find_device(options.device)
    if max(options.processes) > options.clients:
        raise ConfigError('--processes', f'got {max(options.processes)}',
                          f'use at most {options.clients}, one a client')
    if any(options.batch_size % count for count in options.processes):
        raise ConfigError('--batch-size', f'got {options.batch_size}',
                          'use a multiple of each of --processes')
    options.threads = torch.get_num_threads()
    return [row for amp in options.amp for row in measure_amp(options, amp)]


def measure_amp(options: argparse.Namespace, amp: str) -> List[Row]:
    """Rows of one precision."""
    settings = [(1, 'clients')] + [(count, parallel)
                                   for count in options.processes
                                   for parallel in ('batches', 'clients')]
    seen = {setting: [] for setting in settings}
    for _ in range(options.repeats):
        for setting in settings:
            seen[setting] += time_rounds(options, amp, *setting)
    timings = {setting: summarise(seen[setting]) for setting in settings}
    rows = []
    for count, parallel in settings:
        name = f'{options.arch} {amp}, {options.clients} clients, ' + (
            f'{count} processes sharing {parallel}'
            if count > 1 else 'one process')
        timing = timings[count, parallel]
        rows.append(
            Row(f'{name}, round', 1e3 * timing.seconds, 'ms',
                note_of(timing)))
        if count > 1:
            alone = timings[settings[0]].seconds
            rows.append(
                Row(f'{name}, speed of one process', alone / timing.seconds,
                    'x'))
    return rows


if __name__ == '__main__':
    sys.exit(run_benchmark(parse_args, measure))
