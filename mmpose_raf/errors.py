"""The error of a user's input, told in one line."""

from pathlib import Path
from typing import Sequence


class ConfigError(ValueError):
    """A config, data or checkpoint that cannot be used as it stands.

    The tools print it as one line and exit with code 2. Line breaks and
    control characters, which names in hostile files may hold, are escaped.

    Args:
        field (str): What is wrong, as the user wrote it, e.g.
            ``custom_hooks.FederatedHook.clients[1].input_size``.
        problem (str): What is the matter with it, with the value found.
        fix (str): What to write instead.
    """

    def __init__(self, field: str, problem: str, fix: str):
        super().__init__(_in_one_line(f'{field}: {problem}; {fix}'))
        self.field = field
        self.problem = problem
        self.fix = fix


class TrainingError(Exception):
    """A training that is of no use if it goes on.

    The tools print it as one line and exit with code 1.
    """


def _in_one_line(text: str) -> str:
    """Escape what a terminal would obey."""
    return ''.join(
        character if character.isprintable() else repr(character)[1:-1]
        for character in text)


def describe_error(error: Exception) -> str:
    """Tell an error of somebody else's code in one line."""
    return ' '.join(f'{type(error).__name__}: {error}'.split())


def make_folder(path: Path, field: str):
    """Make a folder, and those above it.

    Args:
        path (Path): The folder; it may be there.
        field (str): What the user calls it.

    Raises:
        ConfigError: If it cannot be made.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(field, describe_error(error),
                          'choose another folder') from error


def check_choice(value: str, choices: Sequence[str], field: str) -> str:
    """Return a value if it is one of the choices.

    Args:
        value (str): The value found.
        choices (Sequence[str]): What it may be.
        field (str): Where it stands in the config.

    Raises:
        ConfigError: If it is none of them.
    """
    # A list has no hash to look up.
    if value not in list(choices):
        raise ConfigError(field, f'got {value!r}',
                          f'use one of {", ".join(map(str, choices))}')
    return value
