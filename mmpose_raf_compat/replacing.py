"""Replacing a function that others have imported by its name."""

import sys
from typing import Callable


def replace_everywhere(function: Callable, replacement: Callable) -> None:
    """Replace a function in the modules that have imported it by name.

    Args:
        function (Callable): A function of a module.
        replacement (Callable): What shall go by its name from now on.
    """
    for module in list(sys.modules.values()):
        # Not getattr, at which some modules import others.
        namespace = getattr(module, '__dict__', {})
        if namespace.get(function.__name__) is function:
            namespace[function.__name__] = replacement
