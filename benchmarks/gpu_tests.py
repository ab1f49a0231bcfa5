"""The tests that wait for a GPU.

    python -m benchmarks.gpu_tests --device cuda

On a CPU they are skipped, which shows only that they can be found.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Dict, List

import pytest

from benchmarks.measuring import Row, find_device, make_parser, run_benchmark
from benchmarks.subjects import ROOT


def parse_args(args=None):
    """Options of the command line."""
    return make_parser(__doc__, repeats=1).parse_args(args)


class Outcomes:
    """A plugin of pytest that counts how tests end.

    Attributes:
        counts (dict[str, int]): By ``'passed'``, ``'failed'`` and
            ``'skipped'``.
    """

    def __init__(self):
        self.counts: Dict[str, int] = dict(passed=0, failed=0, skipped=0)

    def pytest_runtest_logreport(self, report):
        """A test was set up, called or torn down."""
        if report.when == 'call' or report.outcome != 'passed':
            self.counts[report.outcome] += 1


def find_tests(folder: Path) -> List[str]:
    """Modules with tests that are marked ``gpu``.

    Others are not even imported: they may need what this machine lacks.
    """
    return sorted(
        str(path) for path in folder.rglob('test_*.py')
        if 'pytest.mark.gpu' in path.read_text())


def measure(options: argparse.Namespace) -> List[Row]:
    """All rows: the tests by their outcome.

    Raises:
        RuntimeError: If a test fails, or none runs on a GPU.
    """
    device = find_device(options.device)
    outcomes = Outcomes()
    start = time.perf_counter()
    code = pytest.main([
        '-m', 'gpu', '-q', '-p', 'no:cacheprovider',
        *find_tests(ROOT / 'tests')
    ], [outcomes])
    seconds = time.perf_counter() - start
    counts = outcomes.counts
    if code or (device.type == 'cuda' and not counts['passed']):
        raise RuntimeError(f'pytest: exit code {int(code)}, {counts}')
    return [
        *(Row(f'tests {outcome}', count, '1')
          for outcome, count in counts.items()),
        Row('tests, time', seconds, 's')
    ]


if __name__ == '__main__':
    sys.exit(run_benchmark(parse_args, measure))
