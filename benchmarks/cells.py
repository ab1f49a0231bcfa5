"""What benchmarks have measured, cell by cell, in files of JSON.

A cell that is in its file is not measured again, so a benchmark that was
stopped goes on where it was, and another seed adds to the means.
"""

import json
import statistics
from pathlib import Path
from typing import Callable, Dict, List

from mmpose_raf.atomic_file import write_atomically
from mmpose_raf.errors import ConfigError, make_folder
from mmpose_raf.evaluation.drift_group import spread_of

#: Where the figures of docs/algorithms.md lie.
RESULTS = Path(__file__).parents[1] / 'docs/results/algorithms'
#: Values of a cell by name, e.g. PCK in percent or seconds.
Cell = Dict[str, float]


class Cells:
    """The cells of one table and seed.

    Args:
        folder (Path): Where the file is, or will be.
        table (str): Name of the table.
        seed (int): The seed.
        settings (dict): What all cells have in common, of plain values; a
            file of other settings is refused.

    Raises:
        ConfigError: If the file is of other settings.
    """

    def __init__(self, folder: Path, table: str, seed: int, settings: dict):
        make_folder(folder, '--results')
        self.path = Path(folder) / f'{table}-seed{seed}.json'
        self.settings = settings
        self.cells: Dict[str, Cell] = {}
        if self.path.exists():
            saved = json.loads(self.path.read_text())
            if saved['settings'] != settings:
                raise ConfigError(
                    '--results', f'{self.path} was measured with '
                    f'{saved["settings"]}', 'choose another folder')
            self.cells = saved['cells']

    def fill(self, name: str, measure: Callable[[], Cell]) -> Cell:
        """Measure a cell unless it is there, and write it down.

        Args:
            name (str): Its name.
            measure (callable): Gives its values.
        """
        if name not in self.cells:
            self.cells[name] = {
                key: round(float(value), 2)
                for key, value in measure().items()
            }
            # A line for each cell, so that a change shows what has changed.
            lines = ',\n  '.join(f'{json.dumps(name)}: {json.dumps(cell)}'
                                 for name, cell in self.cells.items())
            content = (f'{{"settings": {json.dumps(self.settings)},\n'
                       f' "cells": {{\n  {lines}}}}}\n')
            write_atomically(self.path, content.encode())
            print(f'{self.path.stem}: {name}: {self.cells[name]}', flush=True)
        return self.cells[name]


class CellMeans:
    """The cells of one table over all its seeds.

    Args:
        folder (Path): Where its files are.
        table (str): Name of the table.
    """

    def __init__(self, folder: Path, table: str):
        self.seeds: List[Dict[str, Cell]] = [
            json.loads(path.read_text())['cells']
            for path in sorted(Path(folder).glob(f'{table}-seed*.json'))
        ]

    def values(self, name: str, key: str) -> List[float]:
        """A value of a cell, by seed; empty if it was not measured."""
        return [
            cells[name][key] for cells in self.seeds
            if key in cells.get(name, {})
        ]

    def text(self, name: str, key: str, digits: int = 1) -> str:
        """Mean over the seeds, and sample standard deviation if several."""
        values = self.values(name, key)
        if not values:
            return ''
        text = f'{statistics.fmean(values):,.{digits}f}'
        if len(values) > 1:
            text += f' ± {spread_of(values):.{digits}f}'
        return text
