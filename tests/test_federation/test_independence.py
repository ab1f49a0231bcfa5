"""The algorithms of federated learning need torch alone."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mmpose_raf.federation

FOLDER = Path(mmpose_raf.federation.__file__).parent
FILES = sorted(FOLDER.rglob('*.py'))


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.stem)
def test_source_imports_torch_alone(path):
    allowed = {'torch', 'mmpose_raf.federation', *sys.stdlib_module_names}
    package = ('mmpose_raf', 'federation',
               *path.relative_to(FOLDER).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package[:len(package) - node.level + 1]
            names = [
                '.'.join([*parents, node.module or '']).rstrip('.')
                if node.level else node.module
            ]
        else:
            continue
        for name in names:
            assert any(name == root or name.startswith(f'{root}.')
                       for root in allowed), name


def test_runs_without_openmmlab():
    """A process in which mmengine, mmcv and mmpose cannot be imported."""
    code = f'''
import importlib.util, sys
for name in ('mmengine', 'mmcv', 'mmpose'):
    sys.modules[name] = None
spec = importlib.util.spec_from_file_location(
    'federation', {str(FOLDER / '__init__.py')!r},
    submodule_search_locations=[{str(FOLDER)!r}])
federation = importlib.util.module_from_spec(spec)
sys.modules['federation'] = federation
spec.loader.exec_module(federation)

import torch
updates = [federation.ClientUpdate(str(i), dict(w=torch.tensor([float(i)])), 1)
           for i in range(3)]
print(federation.FedAvg().aggregate({{}}, updates)['w'].item())
'''
    output = subprocess.run([sys.executable, '-c', code],
                            check=True,
                            capture_output=True,
                            text=True).stdout
    assert float(output) == 1.
