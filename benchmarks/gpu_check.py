"""Everything that waits for a GPU, in one command of at most 25 minutes.

Each step is a benchmark of this folder in a process of its own, with a time
budget; one that fails or runs out of time does not stop the others. Its rows
go to STEP.json and what it prints to STEP.log in the folder of the results,
and summary.json holds all outcomes. The exit code is 0 if every step passed,
and 1 if not.

What is opt-in until it has run on a GPU stands beside its plain alternative in
the second table: a value above its bound says that it may become the default.

    python -m benchmarks.gpu_check --out gpu_check
    python -m benchmarks.gpu_check --out gpu_check --steps tests train
    python -m benchmarks.gpu_check --device cpu --tiny --out trial
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from benchmarks.compare import read_result
from benchmarks.gpu_findings import list_findings
from benchmarks.measuring import find_device, hardware
from benchmarks.subjects import ROOT
from mmpose_raf.command_line import exit_code
from mmpose_raf.errors import make_folder
from mmpose_raf.tables import render_table

PASSED = 'passed'


class Step(NamedTuple):
    """A benchmark, and how much of the time it may take.

    Args:
        module (str): Its module in this folder.
        minutes (float): Its budget; those of all steps are 25.
        options (str): Its options on a GPU.
        tiny (str): Options with which it takes seconds, to try the script.
    """

    module: str
    minutes: float
    options: str
    tiny: str


STEPS = dict(
    tests=Step('gpu_tests', 3.5, '', ''),
    train=Step(
        'train_round', 3.,
        '--arch base --amp bf16 fp32 --samples 512 --batch-size 32 '
        '--workers 8',
        '--arch micro --samples 2 --val-samples 2 --batch-size 2'),
    local_step=Step(
        'local_step', 2.5,
        '--arch base --amp bf16 --batch-size 32 --levels 1 3 '
        '--passes joint separate in_turn',
        '--arch micro --batch-size 2 --levels 1 3 --no-memory '
        '--passes joint separate in_turn --repeats 1'),
    baseline_step=Step('baseline_step', 2.,
                       '--arch base --amp fp32 bf16 --batch-size 32',
                       '--arch micro --batch-size 2 --repeats 1'),
    compile=Step(
        'local_step', 3.5,
        '--arch base --amp bf16 --batch-size 32 --levels 3 --no-memory '
        '--compile', '--arch micro --batch-size 2 --levels 1 --no-memory '
        '--compile --repeats 1'),
    mfu=Step('mfu', 1.,
             '--arch base --amp bf16 --batch-size 32 --matrix 8192',
             '--arch micro --matrix 64 --repeats 1'),
    round=Step(
        'round', 3.,
        '--arch base --amp bf16 --samples 256 --batch-size 32 --workers 8 '
        '--state-device model cpu cpu-overlap --plain-rounds --repeats 2',
        '--arch micro --samples 2 --val-samples 2 --batch-size 2 '
        '--repeats 1 --state-device model cpu cpu-overlap --plain-rounds'),
    parallel_clients=Step(
        'parallel_clients', 2.5,
        '--arch small --amp bf16 --clients 6 --samples 72 --batch-size 12 '
        '--processes 3 --rounds 3 --repeats 1',
        '--arch micro --clients 2 --samples 1 --batch-size 2 --rounds 2 '
        '--repeats 1'),
    many_clients=Step(
        'many_clients', 2.5,
        '--clients 3 300 --samples 300 --keeping moments nothing',
        '--clients 2 4 --samples 4 --keeping nothing'),
    evaluation=Step('evaluation', 1.5,
                    '--arch base --amp bf16 --batch-size 32 128',
                    '--arch micro --batch-size 2 --repeats 1'))


class Outcome(NamedTuple):
    """How a step ended.

    Args:
        status (str): ``'passed'``, or what happened.
        seconds (float): Time that it took.
    """

    status: str
    seconds: float


def parse_args(args=None):
    """Options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', default='cuda', help='cpu or cuda')
    parser.add_argument(
        '--out', type=Path, required=True, help='folder of the results')
    parser.add_argument(
        '--steps', nargs='+', choices=STEPS, default=list(STEPS))
    parser.add_argument(
        '--tiny', action='store_true', help='settings that take seconds')
    return parser.parse_args(args)


def run_step(name: str, options: argparse.Namespace) -> Outcome:
    """Run a step within its budget; what it printed is in its log."""
    step = STEPS[name]
    result = options.out / f'{name}.json'
    result.unlink(missing_ok=True)
    command = [
        sys.executable, '-m', f'benchmarks.{step.module}', '--device',
        options.device, '--out', str(result.resolve()),
        *(step.tiny if options.tiny else step.options).split()
    ]
    start = time.perf_counter()
    with open(options.out / f'{name}.log', 'w') as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True)
        try:
            code = process.wait(60 * step.minutes)
            status = PASSED if code == 0 else f'failed: exit code {code}'
        except subprocess.TimeoutExpired:
            status = f'stopped after {step.minutes} minutes'
        finally:
            stop_session(process)
    if status == PASSED and not result.exists():
        status = 'failed: no results'
    return Outcome(status, time.perf_counter() - start)


def stop_session(process: subprocess.Popen):
    """End a process, and all that it has started and left behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # nothing is left
        pass
    process.wait()


def print_summary(outcomes: Dict[str, Outcome],
                  findings: List[Dict[str, Any]]):
    """Print how the steps ended and what they found."""
    print(
        render_table(['step', 'outcome', 'seconds'],
                     [[name, outcome.status, f'{outcome.seconds:.0f}']
                      for name, outcome in outcomes.items()]))
    print(
        render_table(['found', 'value', 'unit', 'bound', 'is met'], [[
            finding['name'], f'{finding["value"]:.4g}', finding['unit'],
            finding['bound'], 'yes' if finding['is_met'] else 'no'
        ] for finding in findings]))


def read_findings(outcomes: Dict[str, Outcome],
                  folder: Path) -> List[Dict[str, Any]]:
    """What the steps that passed have found, see :func:`list_findings`."""
    rows = {
        name: read_result(str(folder / f'{name}.json'))['rows'].values()
        for name, outcome in outcomes.items() if outcome.status == PASSED
    }
    return list_findings(rows)


def check(options: argparse.Namespace) -> int:
    """Run the steps; returns the exit code.

    Raises:
        ConfigError: If the device is not there, or the folder of the results
            cannot be made.
    """
    device = find_device(options.device)
    make_folder(options.out, '--out')
    outcomes = {}
    for name in options.steps:
        print(f'{name}, {STEPS[name].minutes} minutes at most ...', flush=True)
        outcomes[name] = run_step(name, options)
        print(f'  {outcomes[name].status}', flush=True)
        if outcomes[name].status != PASSED:
            print_end(options.out / f'{name}.log')
    findings = read_findings(outcomes, options.out)
    print_summary(outcomes, findings)
    summary = dict(
        hardware=hardware(device),
        steps={name: step._asdict() for name, step in outcomes.items()},
        findings=findings)
    (options.out / 'summary.json').write_text(json.dumps(summary, indent=1))
    return int(any(step.status != PASSED for step in outcomes.values()))


def print_end(log: Path, count: int = 15):
    """Print the last lines of a log."""
    for line in log.read_text(errors='replace').splitlines()[-count:]:
        print(f'  | {line}')


def main() -> int:
    """Check, and say in the exit code whether all passed."""
    return exit_code(lambda: check(parse_args()))


if __name__ == '__main__':
    sys.exit(main())
