"""A handful of the kills of ``make fuzz``, at steps of writing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CODE = '''
import sys, tempfile
from pathlib import Path
from tests.fuzz.kills import Killer
with tempfile.TemporaryDirectory() as folder:
    killer = Killer(Path(folder))
    for number in (1, 3):
        killer.kill(number)
    print(killer.num_kills)
'''


@pytest.mark.slow
def test_killed_runs_end_alike():
    """In a process of their own, which has no threads yet."""
    result = subprocess.run([sys.executable, '-c', CODE],
                            cwd=ROOT,
                            capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    assert int(result.stdout.splitlines()[-1]) > 0
