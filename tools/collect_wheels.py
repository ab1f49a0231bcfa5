"""Collect the wheels that a machine without a package index lacks.

Resolves requirements with the Python that runs this script, which must be of
the other machine's version and platform, and downloads what the other machine
does not have. There, without an index:

    python3 -m pip install --no-index --no-deps --target .site .whl/*.whl

    python3.12 tools/collect_wheels.py .whl --requirements requirements.txt \
        --extra mmpose==1.3.2 --have torch numpy scipy

It needs nothing but Python and pip.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List


def parse_args(args=None):
    """Options of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, help='where the wheels go')
    parser.add_argument('--requirements', required=True, metavar='FILE')
    parser.add_argument(
        '--extra',
        nargs='+',
        default=[],
        metavar='NAME==VERSION',
        help='taken without what they require')
    parser.add_argument(
        '--have',
        nargs='+',
        default=[],
        metavar='NAME',
        help='what the other machine has')
    return parser.parse_args(args)


def pip(*args: str):
    """Run pip of this Python; wheels alone, nothing is built."""
    subprocess.run([
        sys.executable, '-m', 'pip', '--disable-pip-version-check', '-q',
        *args, '--only-binary', ':all:'
    ], check=True)  # yapf: disable


def normalise(name: str) -> str:
    """A distribution's name as in PEP 503."""
    return re.sub(r'[-_.]+', '-', name).lower()


def resolve(requirements: str) -> List[str]:
    """What requirements and their requirements are, as NAME==VERSION."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, 'report.json')
        pip('install', '--dry-run', '--ignore-installed', '--report',
            str(report), '-r', requirements)
        found = json.loads(report.read_text())['install']
    return [
        f'{item["metadata"]["name"]}=={item["metadata"]["version"]}'
        for item in found
    ]


def replace_wheels(folder: Path, source: Path):
    """Put the wheels of another folder in the place of those of this one."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob('*.whl'):
        old.unlink()
    for new in source.glob('*.whl'):
        shutil.move(str(new), str(folder))


def main() -> int:
    """Collect; returns the exit code."""
    options = parse_args()
    have = set(map(normalise, options.have))
    try:
        missing = [
            pin for pin in resolve(options.requirements)
            if normalise(pin.partition('==')[0]) not in have
        ]
        with tempfile.TemporaryDirectory() as folder:
            pip('download', '--no-deps', '--dest', folder, *missing,
                *options.extra)
            replace_wheels(options.folder, Path(folder))
    except subprocess.CalledProcessError as error:
        print(f'error: pip: exit code {error.returncode}', file=sys.stderr)
        return 1
    wheels = sorted(options.folder.glob('*.whl'))
    for wheel in wheels:
        print(wheel.name)
    size = sum(wheel.stat().st_size for wheel in wheels)
    print(f'{len(wheels)} wheels, {size / 2**20:.1f} MiB')
    return 0


if __name__ == '__main__':
    sys.exit(main())
