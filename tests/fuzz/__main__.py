"""Many cases, with a summary: ``python -m tests.fuzz --cases 10000``."""

import argparse
import collections
import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path

from mmpose_raf.tables import render_table
from tests.fuzz.cases import Fuzzer

#: Which part of the cases is of a kind. Those of configs take longest.
SHARES = dict(config=.2, annotations=.4, checkpoint=.4)


def main() -> int:
    """Run the cases; return 1 if one of them is a bug."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--cases', type=int, default=10_000)
    parser.add_argument('--first', type=int, default=0, metavar='NUMBER')
    parser.add_argument('--kind', choices=SHARES)
    args = parser.parse_args()
    kinds = {args.kind: 1.} if args.kind else SHARES
    results, rows = collections.Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        fuzzer = Fuzzer(Path(folder))
        for kind, share in kinds.items():
            start, count = time.monotonic(), round(share * args.cases)
            for number in range(args.first, args.first + count):
                with contextlib.redirect_stdout(io.StringIO()):
                    outcome = fuzzer.run(kind, number)
                results[kind, outcome.result] += 1
                if outcome.result == 'bug':
                    print(
                        f'{kind} {number}: {outcome.change}\n'
                        f'    {outcome.message}',
                        flush=True)
            seconds = time.monotonic() - start
            rows.append([
                kind,
                str(count), *(str(results[kind, result])
                              for result in ('refused', 'accepted', 'bug')),
                f'{seconds:.0f}'
            ])
    print(
        render_table(
            ['what', 'cases', 'refused', 'accepted', 'bugs', 'seconds'], rows))
    return int(any(results[kind, 'bug'] for kind in kinds))


if __name__ == '__main__':
    sys.exit(main())
