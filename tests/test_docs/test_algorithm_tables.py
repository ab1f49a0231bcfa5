"""The tables of docs/algorithms.md give what lies in docs/results."""

import re
from pathlib import Path

import pytest

from benchmarks import attacks, fresh_models
from benchmarks.cells import RESULTS, CellMeans

LINES = (Path(__file__).parents[2] /
         'docs/algorithms.md').read_text().splitlines()
#: What the benchmarks print of the files of a name.
TABLES = dict(attacks.TABLES, fresh_models=[fresh_models.table])


def test_each_file_belongs_to_a_table():
    names = {
        re.fullmatch(r'(.*)-seed\d+', path.stem).group(1)
        for path in RESULTS.iterdir()
    }
    assert names == set(TABLES)


@pytest.mark.parametrize('name', TABLES)
def test_what_is_printed_stands_there(name):
    for table in TABLES[name]:
        printed = table(CellMeans(RESULTS, name)).splitlines()
        assert len(printed) > 2
        starts = [index for index, line in enumerate(LINES)
                  if line == printed[0]]
        assert printed in [
            LINES[start:start + len(printed)] for start in starts]
