"""Images a second and peak memory of a local training step of RAF.

A step is what MMEngine makes of a batch: bytes to the device, all levels
forward, losses, backward, clipping, AdamW. Sizes of model, ladder and
precision are compared; the cost of the ladder's lower levels beside the share
of tokens that they add.

    python -m benchmarks.local_step
    python -m benchmarks.local_step --device cuda --arch small base large \
        --amp fp32 bf16 --batch-size 32 --passes joint in_turn --compile
"""

import itertools
import sys
from typing import List

import torch

from benchmarks.measuring import (Row, alternate, do_nothing, find_device,
                                  make_parser, note_of, peak_memory,
                                  peak_of_process, run_benchmark)
from benchmarks.subjects import ARCHS, LocalStep, count_tokens, read_config

PASSES = ('joint', 'separate', 'in_turn')


def parse_args(args=None):
    """Options of the command line."""
    parser = make_parser(__doc__, repeats=3)
    parser.add_argument(
        '--arch', nargs='+', choices=ARCHS, default=['tiny', 'small'])
    parser.add_argument(
        '--levels', nargs='+', type=int, default=[1, 2, 3],
        choices=[1, 2, 3])
    parser.add_argument('--batch-size', type=int, default=4)
    parser.add_argument(
        '--passes', nargs='+', choices=PASSES, default=['joint'],
        help='how the levels go through the model')
    parser.add_argument(
        '--compile', action='store_true', help='compare torch.compile as well')
    parser.add_argument(
        '--no-memory', action='store_true', help='measure the time alone')
    return parser.parse_args(args)


def train(arch: str, num_levels: int, amp: str, batch_size: int, device: str,
          passes: str, is_compiled: bool):
    """Two steps: only the second has the optimizer's moments throughout."""
    step = LocalStep(arch, num_levels, amp, batch_size, torch.device(device),
                     passes, is_compiled)
    step()
    step()


def token_ratio(arch: str, num_levels: int) -> float:
    """Tokens of a ladder as multiples of those of its highest level."""
    cfg = read_config(arch, num_levels)
    patch = cfg.model.backbone.get('patch_size', 16)
    tokens = [count_tokens(size, patch) for size in cfg.model.ladder]
    return sum(tokens) / tokens[0]


def measure(options) -> List[Row]:
    """All rows of the benchmark."""
    device = find_device(options.device)
    rows = []
    if device.type != 'cuda' and not options.no_memory:
        rows.append(
            Row('libraries alone, peak memory', peak_of_process(do_nothing),
                'MiB'))
    modes = [False, True] if options.compile else [False]
    for arch, amp in itertools.product(options.arch, options.amp):
        rows += measure_ladders(arch, amp, modes, options, device)
    return rows


def measure_ladders(arch: str, amp: str, modes: List[bool], options,
                    device: torch.device) -> List[Row]:
    """Rows of one model in one precision."""
    # A single level goes through in one way only; levels in turn are not
    # compiled.
    settings = [
        (levels, passes, is_compiled) for levels, passes, is_compiled in
        itertools.product(options.levels, options.passes, modes)
        if (levels > 1 or passes == options.passes[0]) and not (
            is_compiled and passes == 'in_turn')
    ]
    steps = {
        setting: LocalStep(arch, setting[0], amp, options.batch_size, device,
                           *setting[1:])
        for setting in settings
    }
    timings = alternate(steps, device, options.repeats, warmup=2)
    # The models of the timing would count as this setting's memory.
    steps.clear()
    rows = []
    for levels, passes, is_compiled in settings:
        name = f'{arch} {amp} {levels} levels' + (
            f' {passes}' if levels > 1 else '') + (
                ' compiled' if is_compiled else '')
        timing = timings[levels, passes, is_compiled]
        rows.append(
            Row(f'{name}, speed', options.batch_size / timing.seconds,
                'images/s', note_of(timing)))
        if not options.no_memory:
            peak = peak_memory(train, device, arch, levels, amp,
                               options.batch_size, str(device), passes,
                               is_compiled)
            rows.append(Row(f'{name}, peak memory', peak, 'MiB'))
        if levels > 1 and 1 in options.levels:
            single = timings[1, options.passes[0], is_compiled]
            ratio = timing.seconds / single.seconds
            rows.append(
                Row(f'{name}, time of 1 level', ratio, 'x',
                    f'tokens: {token_ratio(arch, levels):.4g} x'))
    return rows


if __name__ == '__main__':
    sys.exit(run_benchmark(parse_args, measure))
