"""Plain-text tables for logs and terminals."""

import io
from typing import Sequence

from rich import box
from rich.console import Console
from rich.table import Table


def render_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table in ASCII, names to the left and numbers to the right.

    Args:
        head (list[str]): Name of each column.
        rows (list[list[str]]): Cells of each row.

    Returns:
        str: Lines of the table at its full width, without a line break at
        the end.
    """
    table = Table(box=box.ASCII)
    for index, name in enumerate(head):
        table.add_column(
            name, justify='right' if index else 'left', no_wrap=True)
    for row in rows:
        table.add_row(*row)
    # Names are no markup, and a log has no width to wrap at.
    console = Console(
        file=io.StringIO(),
        width=10**4,
        color_system=None,
        markup=False,
        emoji=False)
    console.print(table)
    return console.file.getvalue().rstrip('\n')
