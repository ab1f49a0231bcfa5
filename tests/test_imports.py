"""Which part of the package knows which other, and how long its files are."""

import ast
from pathlib import Path
from typing import Dict, Set

import pytest

import mmpose_raf

ROOT = Path(mmpose_raf.__file__).parent
#: What each folder may import of the package beside single modules, such as
#: mmpose_raf.errors, which know no folder.
BELOW = {
    'checkpoints': set(),
    'federation': set(),
    'models': {'checkpoints'},
    'attacks': {'federation', 'models'},
    'defences': {'attacks', 'federation', 'models'},
    'datasets': {'attacks', 'models'},
    'export': {'models'},
    'evaluation': {'datasets', 'federation', 'models'},
    'visualization': {'evaluation'},
    'engine': {
        'attacks', 'datasets', 'defences', 'evaluation', 'federation', 'models'
    },
    'flower': {
        'checkpoints', 'datasets', 'engine', 'evaluation', 'federation'
    },
    'experiments': {'engine', 'evaluation'},
    'one_shot': {'engine', 'federation', 'models'},
    'commands': {
        'engine', 'evaluation', 'experiments', 'export', 'models', 'one_shot',
        'visualization'
    },
}


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


PATHS = {_module_name(path): path for path in ROOT.rglob('*.py')}


def imports_of(module: str) -> Set[str]:
    """Modules of the package that a module imports, anywhere in it."""
    path = PATHS[module]
    # What a relative import starts from.
    package = module.split('.')[:None if path.stem == '__init__' else -1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[:len(package) + 1 -
                            node.level] if node.level else []
            base = '.'.join([*start, *filter(None, [node.module])])
            for alias in node.names:
                whole = f'{base}.{alias.name}'
                found.add(whole if whole in PATHS else base)
    return {name for name in found if name in PATHS}


IMPORTS: Dict[str, Set[str]] = {name: imports_of(name) for name in PATHS}


def folder_of(module: str) -> str:
    """Folder of the package that a module lies in; '' if it is alone."""
    name = module.partition('.')[2].partition('.')[0]
    return name if (ROOT / name).is_dir() else ''


def test_the_imports_are_found():
    found = IMPORTS['mmpose_raf.engine.federated_train_loop']
    assert 'mmpose_raf.federation' in found
    assert 'mmpose_raf.datasets.schedule' in found
    assert 'mmpose_raf.engine.local_trainer' in found


def test_every_folder_has_its_place():
    assert set(BELOW) == {folder_of(module) for module in PATHS} - {''}


@pytest.mark.parametrize('folder', BELOW)
def test_folders_import_what_lies_below_them(folder):
    arrows = {(module, found)
              for module, imported in IMPORTS.items()
              for found in imported if folder_of(module) == folder}
    upward = {(module, found)
              for module, found in arrows
              if folder_of(found) not in {'', folder, *BELOW[folder]}}
    assert not upward
    unused = BELOW[folder] - {folder_of(found) for _, found in arrows}
    assert not unused, 'remove them from the picture'


def test_the_picture_has_no_circle():
    order = list(BELOW)
    for folder, below in BELOW.items():
        assert all(order.index(name) < order.index(folder) for name in below)


def test_single_modules_know_no_folder():
    for module, imported in IMPORTS.items():
        if not folder_of(module) and module not in ('mmpose_raf',
                                                    'mmpose_raf.__main__'):
            assert not {folder_of(found) for found in imported} - {''}, module


def test_no_module_imports_itself_through_others():
    """By taking away, again and again, what imports nothing that is left."""
    left = dict(IMPORTS)
    # The package itself imports its parts to register them; who imports it,
    # imports them.
    left.pop('mmpose_raf')
    while True:
        free = [
            module for module, found in left.items()
            if not found & left.keys()
        ]
        if not free:
            break
        for module in free:
            del left[module]
    assert not left


def test_files_are_short():
    lengths = {
        name: len(path.read_text().splitlines())
        for name, path in PATHS.items()
    }
    too_long = {
        name: length
        for name, length in lengths.items()
        if length > (300 if folder_of(name) == 'engine' else 450)
    }
    assert not too_long
