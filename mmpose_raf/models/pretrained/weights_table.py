"""A table of what became of the weights of a file."""

import re
from typing import Dict

from mmpose_raf.tables import render_table

from .checkpoint_file import StateDict

LEAF = re.compile(r'\.(weight|bias|running_mean|running_var|'
                  r'num_batches_tracked)$')


def tabulate_weights(taken: StateDict, left: StateDict, new: StateDict,
                     remarks: Dict[str, str]) -> str:
    """Count the weights of each module, those of all layers together.

    Args:
        taken (dict[str, Tensor]): Weights of the model that were loaded.
        left (dict[str, Tensor]): Weights of the file that were not used.
        new (dict[str, Tensor]): Weights of the model that the file lacks.
        remarks (dict[str, str]): What was done to a weight, by its name.

    Returns:
        str: The lines of the table.
    """
    rows = {}

    def count(column: int, module: str, remark: str = ''):
        counts, notes = rows.setdefault(module, ([0, 0, 0], set()))
        counts[column] += 1
        notes.update(filter(None, [remark]))

    for name in taken:
        count(0, _module_of(name), remarks.get(name, ''))
    for name, value in left.items():
        if name in new:
            count(1, _module_of(name),
                  f'{tuple(value.shape)} is not {tuple(new[name].shape)}')
        else:  # layers of somebody else's module are of no interest
            count(1, re.sub(r'\.\d+(\..*)?$', '.*', LEAF.sub('', name)))
    for name in new:
        count(2, _module_of(name))
    return render_table(
        ('weights', 'taken', 'left', 'new', 'remarks'),
        [(module, *(str(number or '')
                    for number in counts), ', '.join(sorted(notes)))
         for module, (counts, notes) in rows.items()])


def _module_of(name: str) -> str:
    """Name of a weight's module, with a star for the number of a layer."""
    return re.sub(r'\.\d+\.', '.*.', LEAF.sub('', name), count=1)
