"""How all benchmarks measure, print and write.

Alternatives are timed in turn, A B A B, so that what disturbs the machine
disturbs all of them; the median over the repeats is given, and how far the
quartiles lie apart as a share of it.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Union

import torch

from mmpose_raf.command_line import exit_code
from mmpose_raf.errors import ConfigError
from mmpose_raf.tables import render_table

DTYPES = dict(fp32=torch.float32, bf16=torch.bfloat16, fp16=torch.float16)
MIB = 2**20
NOT_MEASURED = 'not measured'
Value = Union[float, str]


class Timing(NamedTuple):
    """Seconds of one alternative.

    Args:
        seconds (float): Median over the repeats.
        spread (float): Distance of the quartiles, as a share of the median.
    """

    seconds: float
    spread: float


class Row(NamedTuple):
    """One measured value.

    Args:
        name (str): What was measured; the same in every run, so that two
            runs can be compared.
        value (float | str): The value, or why there is none.
        unit (str): Its unit.
        note (str): What a reader must know, e.g. that it is computed.
    """

    name: str
    value: Value
    unit: str
    note: str = ''


def synchronize(device: torch.device):
    """Wait until a device has done what it was given."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def alternate(alternatives: Dict[str, Callable[[], Any]],
              device: torch.device,
              repeats: int = 5,
              warmup: int = 1) -> Dict[str, Timing]:
    """Time alternatives in turn, A B A B.

    Args:
        alternatives (dict[str, callable]): What to time, by name.
        device (torch.device): Where they work.
        repeats (int): Timed runs of each. Defaults to 5.
        warmup (int): Runs of each that are not timed. Defaults to 1.
    """
    times: Dict[str, List[float]] = {name: [] for name in alternatives}
    for repeat in range(warmup + repeats):
        for name, run in alternatives.items():
            synchronize(device)
            start = time.perf_counter()
            run()
            synchronize(device)
            if repeat >= warmup:
                times[name].append(time.perf_counter() - start)
    return {name: summarise(values) for name, values in times.items()}


def summarise(values: List[float]) -> Timing:
    """Median and spread of seconds."""
    median = statistics.median(values)
    if len(values) < 2:
        return Timing(median, float('nan'))
    low, _, high = statistics.quantiles(values, n=4, method='inclusive')
    return Timing(median, (high - low) / median)


def note_of(timing: Timing) -> str:
    """How far the repeats were apart."""
    return ('one run' if timing.spread != timing.spread else
            f'quartiles {100 * timing.spread:.0f} % apart')


# -- memory ------------------------------------------------------------------


def peak_memory(run: Callable[..., Any], device: torch.device,
                *args: Any) -> Value:
    """Peak memory of a function in MiB.

    On a GPU that of torch's allocator; on the CPU the peak resident set of a
    fresh process, with interpreter and libraries (see
    :func:`peak_of_process`). What cannot be measured is said to be so.

    Args:
        run (callable): A function of a module, because another process has
            to find it.
        device (torch.device): Where it works.
        *args: Its arguments.
    """
    if device.type != 'cuda':
        return peak_of_process(run, *args)
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    run(*args)
    torch.cuda.synchronize(device)
    peak = torch.cuda.max_memory_allocated(device) / MIB
    torch.cuda.empty_cache()
    return peak


def peak_of_process(run: Callable[..., Any], *args: Any) -> Value:
    """Peak resident set of a function in MiB, in a process of its own."""
    return call_alone(run, *args)[1]


def call_alone(run: Callable[..., Any], *args: Any) -> tuple:
    """What a function returns in a fresh process, and its peak in MiB."""
    context = multiprocessing.get_context('spawn')
    with context.Pool(1) as pool:
        return pool.apply(_run_and_look, (run, args))


def _run_and_look(run: Callable[..., Any], args: tuple) -> tuple:
    return run(*args), _peak_resident()


def _peak_resident() -> Value:
    """VmHWM in MiB.

    Not getrusage: a child's ``ru_maxrss`` starts at its parent's.
    """
    status = Path('/proc/self/status')
    if not status.exists():
        return NOT_MEASURED
    line, = [
        line for line in status.read_text().splitlines()
        if line.startswith('VmHWM')
    ]
    return int(line.split()[1]) / 1024


def do_nothing():
    """The function whose peak is that of the libraries alone."""


# -- results -----------------------------------------------------------------


def hardware(device: torch.device) -> Dict[str, Any]:
    """What the numbers depend on beside the program."""
    return dict(
        device=torch.cuda.get_device_name(device)
        if device.type == 'cuda' else 'cpu',
        processor=_processor(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        torch=torch.__version__)


def _processor() -> str:
    info = Path('/proc/cpuinfo')
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.processor() or platform.machine()


def write_rows(rows: List[Row], context: Dict[str, Any],
               path: Optional[Path] = None):
    """Print rows as a table and write them as JSON.

    Args:
        rows (list[Row]): The results.
        context (dict): What they depend on.
        path (Path, optional): The file. Defaults to None: no file.

    Raises:
        ConfigError: If the file cannot be written.
    """
    print('  '.join(f'{key}: {value}' for key, value in context.items()))
    print(render_table(['name', 'value', 'unit', 'note'],
                       [[row.name, format_value(row.value), row.unit,
                         row.note] for row in rows]))
    if path is None:
        return
    text = json.dumps(
        dict(context=context, rows=[row._asdict() for row in rows]), indent=1)
    try:
        Path(path).write_text(text + '\n')
    except OSError as error:
        raise ConfigError('--out', str(error),
                          'choose another file') from None


def format_value(value: Value) -> str:
    """A value for a table."""
    return value if isinstance(value, str) else f'{value:.4g}'


# -- options -----------------------------------------------------------------


def make_parser(description: str,
                repeats: int = 5,
                dtypes: tuple = ('fp32', )) -> argparse.ArgumentParser:
    """Options that all benchmarks share.

    Args:
        description (str): Docstring of the benchmark.
        repeats (int): Default of ``--repeats``.
        dtypes (tuple[str]): Default of ``--amp``.
    """
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    parser.add_argument(
        '--amp',
        nargs='+',
        choices=sorted(DTYPES),
        default=list(dtypes),
        help='precision of autocast; several are compared')
    parser.add_argument('--repeats', type=int, default=repeats)
    parser.add_argument('--out', type=Path, help='JSON file to write')
    return parser


def find_device(name: str) -> torch.device:
    """The device of ``--device``.

    Raises:
        ConfigError: If it is not there.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        problem = str(error).splitlines()[0].rstrip('.')
        raise ConfigError('--device', f'{name}: {problem}',
                          'use cpu, or cuda on a machine with a GPU') from None
    return device


def make_context(options: argparse.Namespace) -> Dict[str, Any]:
    """Hardware and options for :func:`write_rows`."""
    settings = {
        name: ','.join(map(str, value)) if isinstance(value, list) else value
        for name, value in vars(options).items() if name not in (
            'out', 'device')
    }
    return dict(hardware(find_device(options.device)), **settings)


def run_benchmark(parse_args: Callable[[], argparse.Namespace],
                  measure: Callable[[argparse.Namespace], List[Row]]) -> int:
    """Measure what the command line asks for and print the table.

    Args:
        parse_args (callable): Parses the command line.
        measure (callable): From the options to the rows.

    Returns:
        int: The exit code, 2 after an error of the user.
    """

    def run():
        options = parse_args()
        write_rows(measure(options), make_context(options), options.out)

    return exit_code(run)
