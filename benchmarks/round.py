"""Where a federated round's time goes.

A real run through MMEngine's Runner, with timers around what the federation
adds and around the rest. The first round, which draws the images and makes
the optimizer's moments, does not count. Timers wait for the device, so that
shares are true and the sum is longer than a plain round; with
``--plain-rounds`` that is measured as well.

``--scale-to`` computes the shares of a round with more samples a client: what
grows with the samples (training, waiting, hooks of an iteration) is
multiplied, what does not (switching, aggregation, evaluation) stays. Such
rows are marked "computed".

    python -m benchmarks.round
    python -m benchmarks.round --device cuda --arch base --amp bf16 \
        --samples 512 --batch-size 32 --workers 8 --plain-rounds \
        --state-device model cpu cpu-overlap
"""

import statistics
import sys
import tempfile
from typing import Dict, List
from unittest import mock

import torch

import benchmarks.federations as federations
from benchmarks.federations import REST, RoundWatch, Stopwatch
from benchmarks.measuring import (Row, Timing, find_device, make_parser,
                                  note_of, run_benchmark, summarise)
from benchmarks.subjects import ARCHS
from mmpose_raf.engine import local_trainer

# Parts, by whether they grow with the samples of a client.
GROWING = ('training steps', 'waiting for data', 'hooks of an iteration')
FEDERATION = ('weights to the model', 'weights from the model',
              'switch to client', 'switch from client', 'check updates',
              'compare updates', 'aggregation')
FIXED = (*FEDERATION, 'evaluation', REST)

# Where moments wait, by name.
WAITING = {
    'model': dict(state_device='model'),
    'cpu': dict(state_device='cpu'),
    'cpu-overlap': dict(state_device='cpu', overlap=True)
}


def parse_args(args=None):
    """Options of the command line."""
    parser = make_parser(__doc__, repeats=3)
    parser.add_argument('--arch', choices=ARCHS, default='tiny')
    parser.add_argument('--clients', type=int, default=3)
    parser.add_argument(
        '--samples', type=int, default=64, help='of each client')
    parser.add_argument('--val-samples', type=int, default=64)
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--workers', type=int, default=0)
    parser.add_argument(
        '--state-device', nargs='+', choices=WAITING, default=['cpu'])
    parser.add_argument(
        '--scale-to', type=int, default=4000, help='samples of each client')
    parser.add_argument(
        '--plain-rounds',
        action='store_true',
        help='time rounds without timers inside as well')
    return parser.parse_args(args)


def set_up(runner, device: torch.device) -> Stopwatch:
    """Put timers around the parts of a round."""
    watch = Stopwatch(device)
    loop = runner.train_loop
    watch.watch(loop.trainer.optimizer, 'lend', 'switch to client')
    watch.watch(loop.trainer.optimizer, 'take_back', 'switch from client')
    watch.watch(loop.trainer.optimizer, 'lend_to_server', 'switch to client')
    watch.watch(loop.server, 'receive', 'check updates')
    watch.watch(loop.server, 'close_round', 'compare updates')
    watch.watch(loop.server.aggregator, 'aggregate', 'aggregation')
    watch.watch(runner.model, 'train_step', 'training steps')
    if runner.val_loop is not None:
        watch.watch(runner.val_loop, 'run', 'evaluation')
    watch.watch(loop.trainer, 'step', 'hooks of an iteration')
    loop.dataloader = WatchedLoader(loop.dataloader, watch)
    return watch


class WatchedLoader:
    """A data loader whose ``next`` is timed."""

    def __init__(self, loader, watch: Stopwatch):
        self.loader = loader
        self.watch = watch

    def __getattr__(self, name: str):
        return getattr(self.loader, name)

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self):
        batches = iter(self.loader)
        while True:
            with self.watch.part('waiting for data'):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch


def make_config(options, amp: str, state_device: str, work_dir: str):
    """Config of a run that is timed."""
    return federations.make_run_config(
        options.arch,
        options.clients,
        options.clients * options.samples,
        options.batch_size,
        work_dir,
        rounds=options.repeats + 1,
        num_workers=options.workers,
        num_val=options.val_samples,
        amp=amp,
        execution=WAITING[state_device])


def time_plain_rounds(options, amp: str, state_device: str,
                      device: torch.device) -> Timing:
    """Whole rounds but the first, in a run without other timers."""
    watch = RoundWatch(lambda runner: Stopwatch(device))
    with tempfile.TemporaryDirectory() as work_dir:
        cfg = make_config(options, amp, state_device, work_dir)
        federations.run(cfg, device, watch)
    federations.forget_loggers()
    return summarise([sum(parts.values()) for parts in watch.rounds[1:]])


def time_rounds(options, amp: str, state_device: str,
                device: torch.device) -> Dict[str, float]:
    """Median seconds of each part over the rounds but the first."""
    watches: List[Stopwatch] = []

    def make_watch(runner):
        watches.append(set_up(runner, device))
        return watches[0]

    def timed(function, name):

        def call(*args, **kwargs):
            if not watches:
                return function(*args, **kwargs)
            with watches[0].part(name):
                return function(*args, **kwargs)

        return call

    parts = dict(
        copy_state='weights to the model',
        clone_state='weights from the model')
    watch = RoundWatch(make_watch)
    with tempfile.TemporaryDirectory() as work_dir:
        cfg = make_config(options, amp, state_device, work_dir)
        patches = [
            mock.patch.object(local_trainer, name,
                              timed(getattr(local_trainer, name), part))
            for name, part in parts.items()
        ]
        for patch in patches:
            patch.start()
        try:
            federations.run(cfg, device, watch)
        finally:
            for patch in patches:
                patch.stop()
            federations.forget_loggers()
    counted = watch.rounds[1:]
    return {
        part: statistics.median(round_.get(part, 0.) for round_ in counted)
        for part in (*GROWING, *FIXED)
    }


def scale(seconds: Dict[str, float], factor: float) -> Dict[str, float]:
    """Seconds of a round with so many times the samples a client."""
    return {
        part: value * (factor if part in GROWING else 1)
        for part, value in seconds.items()
    }


def list_rows(name: str, seconds: Dict[str, float], note: str) -> List[Row]:
    """Rows of one round."""
    total = sum(seconds.values())
    rows = [Row(f'{name}, round', 1e3 * total, 'ms', note)]
    for part, value in seconds.items():
        if value:
            rows.append(
                Row(f'{name}, {part}', 100 * value / total, '%',
                    f'{1e3 * value:.4g} ms' + (f', {note}' if note else '')))
    return rows


def measure(options) -> List[Row]:
    """All rows of the benchmark."""
    device = find_device(options.device)
    rows = []
    for amp in options.amp:
        for state_device in options.state_device:
            seconds = time_rounds(options, amp, state_device, device)
            name = f'{options.arch} {amp}, states on {state_device}'
            rows += list_rows(name, seconds, '')
            factor = options.scale_to / options.samples
            rows += list_rows(f'{name}, {options.scale_to} samples',
                              scale(seconds, factor), 'computed')
            if options.plain_rounds:
                timing = time_plain_rounds(options, amp, state_device, device)
                rows.append(
                    Row(f'{name}, plain round', 1e3 * timing.seconds, 'ms',
                        note_of(timing)))
    return rows


if __name__ == '__main__':
    sys.exit(run_benchmark(parse_args, measure))
