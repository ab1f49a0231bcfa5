"""Files of measured cells, which a benchmark goes on with."""

import json

import pytest

from benchmarks.cells import CellMeans, Cells
from mmpose_raf.errors import ConfigError


def never():
    raise AssertionError('measured again')


def test_a_cell_is_measured_once(tmp_path):
    first = Cells(tmp_path, 'table', 0, dict(rounds=2))
    assert first.fill('a', lambda: dict(pck=50.004)) == dict(pck=50.)
    again = Cells(tmp_path, 'table', 0, dict(rounds=2))
    assert again.fill('a', never) == dict(pck=50.)
    again.fill('b', lambda: dict(pck=1.))
    saved = json.loads((tmp_path / 'table-seed0.json').read_text())
    assert saved == dict(
        settings=dict(rounds=2), cells=dict(a=dict(pck=50.), b=dict(pck=1.)))


def test_what_was_kept_stays_if_a_cell_fails(tmp_path):
    cells = Cells(tmp_path, 'table', 0, {})
    cells.fill('a', lambda: dict(pck=1.))
    with pytest.raises(AssertionError):
        cells.fill('b', never)
    assert Cells(tmp_path, 'table', 0, {}).cells == dict(a=dict(pck=1.))


def test_a_file_of_other_settings_is_refused(tmp_path):
    Cells(tmp_path, 'table', 0, dict(rounds=2)).fill('a', dict)
    with pytest.raises(ConfigError, match='--results'):
        Cells(tmp_path, 'table', 0, dict(rounds=3))


def test_means_over_the_seeds(tmp_path):
    for seed, pck in enumerate([1., 2., 3.]):
        Cells(tmp_path, 'table', seed, {}).fill('a', lambda: dict(pck=pck))
    Cells(tmp_path, 'table', 1, {}).fill('b', lambda: dict(pck=7.))
    Cells(tmp_path, 'another', 0, {}).fill('a', lambda: dict(pck=9.))
    means = CellMeans(tmp_path, 'table')
    assert means.values('a', 'pck') == [1., 2., 3.]
    assert means.text('a', 'pck') == '2.0 ± 1.0'
    assert means.text('b', 'pck') == '7.0'  # a single seed has no spread
    assert means.text('b', 'seconds') == means.text('c', 'pck') == ''
