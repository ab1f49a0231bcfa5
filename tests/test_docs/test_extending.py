"""What docs/extending.md shows is run as it stands there."""

import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmpose_raf.engine.preflight import read_settings
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import (Aggregator, ClientUpdate, LocalObjective,
                                   TrainingStart)
from mmpose_raf.registry import AGGREGATORS, LOCAL_OBJECTIVES
from tests.toy import assert_states_equal, run, toy_config, weights_of

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / 'docs/extending.md').read_text()
#: Code by the file that its first line names.
BLOCKS = dict(
    re.findall(r'^```python\n# (\S+\.py)\n(.*?)^```$', TEXT, re.M | re.S))
PACKAGE = [
    'my_algorithms/__init__.py', 'my_algorithms/geometric_median.py',
    'my_algorithms/fedtrip.py', 'test_my_algorithms.py', 'my_config.py'
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The files of the page, importable and forgotten afterwards."""
    for name in PACKAGE:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(BLOCKS[name])
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    monkeypatch.syspath_prepend(str(tmp_path))
    registries = [AGGREGATORS.module_dict, LOCAL_OBJECTIVES.module_dict]
    known = [set(registry) for registry in registries]
    yield tmp_path
    for registry, names in zip(registries, known):
        for name in set(registry) - names:
            del registry[name]
    for name in list(sys.modules):
        if name.split('.')[0] in ('my_algorithms', 'test_my_algorithms'):
            del sys.modules[name]


@pytest.fixture
def parts(folder):
    """Algorithms in the page's config, whose imports are made."""
    federation = Config.fromfile(folder / 'my_config.py').federation
    return dict(aggregator=federation.aggregator,
                local_objective=federation.local_objective)


def test_every_block_names_its_file():
    assert TEXT.count('```python') == len(BLOCKS)
    assert set(BLOCKS) == {*PACKAGE, 'linear_regression.py'}
    tree = TEXT.split('```')[1]
    assert all(Path(name).name in tree for name in PACKAGE)


def test_its_tests_pass(folder):
    module = importlib.import_module('test_my_algorithms')
    tests = [name for name in vars(module) if name.startswith('test_')]
    assert len(tests) == BLOCKS['test_my_algorithms.py'].count('\ndef test_')
    for name in tests:
        getattr(module, name)()


def test_config(folder):
    """Importing the package registers its classes; arguments are checked."""
    assert 'GeometricMedian' not in AGGREGATORS.module_dict
    cfg = Config.fromfile(folder / 'my_config.py')
    settings = read_settings(cfg)
    assert AGGREGATORS.get('GeometricMedian') is type(
        settings.build_aggregator())
    assert LOCAL_OBJECTIVES.get('FedTrip') is type(
        settings.build_local_objective())
    assert [client.name
            for client in settings.clients] == ['high', 'mid', 'low']
    cfg.federation.aggregator.num_steps = 0
    with pytest.raises(ConfigError, match='aggregator.*num_steps must be'):
        read_settings(cfg)


def test_they_train_and_resume(parts, tmp_path):
    options = dict(clients=('high', 'mid', 'low'), rounds=2, num_samples=16)
    whole = run(toy_config(tmp_path / 'whole', **options, **parts))
    loop = whole.train_loop
    weights = loop.server.aggregator.weights
    assert list(weights) == ['high', 'mid', 'low']
    assert sum(weights.values()) == pytest.approx(1)
    first = tmp_path / 'whole/epoch_1.pth'
    saved = torch.load(first, weights_only=True)['federation']
    assert saved['identity']['aggregator'] == 'GeometricMedian'
    assert all(client['memory'] for client in saved['clients'].values())
    resumed = run(toy_config(tmp_path / 'resumed', **options, **parts),
                  load_from=str(first),
                  resume=True)
    assert_states_equal(weights_of(whole), weights_of(resumed))


def test_fedtrip_without_its_push_is_fedprox(parts, tmp_path):
    """In a whole training; with it, it is something else."""

    def train(name, **objective):
        cfg = toy_config(tmp_path / name, local_objective=objective)
        return weights_of(run(cfg))

    fedprox = train('fedprox', type='FedProx', mu=1.)
    assert_states_equal(fedprox, train('off', type='FedTrip', mu=1., xi=0))
    pushed = train('on', type='FedTrip', mu=1., xi=.5)
    assert any(not torch.equal(fedprox[key], pushed[key]) for key in fedprox)


def test_regression_without_openmmlab(tmp_path):
    """The copied folder, where mmengine, mmcv and mmpose are missing."""
    shutil.copytree(ROOT / 'mmpose_raf/federation', tmp_path / 'federation')
    code = BLOCKS['linear_regression.py'].replace('mmpose_raf.federation',
                                                  'federation')
    (tmp_path / 'linear_regression.py'
     ).write_text('import sys\n'
                  "for name in ('mmengine', 'mmcv', 'mmpose', 'mmpose_raf'):\n"
                  '    sys.modules[name] = None\n' + code)
    output = subprocess.run([sys.executable, 'linear_regression.py'],
                            cwd=tmp_path,
                            env=dict(os.environ, PYTHONPATH=''),
                            check=True,
                            capture_output=True,
                            text=True).stdout
    values = [float(value) for value in re.findall(r'-?\d+\.\d*', output)]
    assert values == pytest.approx(_regress()['optimum'].tolist(), abs=1e-3)


def test_regression_needs_its_objective():
    """Without SCAFFOLD FedAvg ends elsewhere, as the text says."""
    code = BLOCKS['linear_regression.py']
    pull = " + objective.gradient(dict(w=w), start)['w']"
    assert pull in code
    names = _regress(code.replace(pull, ''))
    assert not torch.allclose(
        names['server'].state['w'], names['optimum'], atol=.01)


def _regress(code=BLOCKS['linear_regression.py']):
    """What the program leaves behind, and the optimum by linear algebra."""
    names = {}
    exec(code, names)
    data = names['data'].values()
    hessian = sum(x.T @ x / len(x) for x, _ in data)
    slope = sum(x.T @ y / len(x) for x, y in data)
    return dict(names, optimum=torch.linalg.solve(hessian, slope))


def test_nothing_of_an_update_is_left_out():
    table = TEXT.split('| `ClientUpdate` | |')[1].split('\n\n')[0]
    assert re.findall(r'^\| `(\w+)` \|', table, re.M) == [
        'parameter_names' if field.name == 'parameters' else field.name
        for field in fields(ClientUpdate)
    ]


def test_no_call_of_an_objective_is_left_out():
    methods = {
        name: list(inspect.signature(method).parameters)[1:]
        for name, method in inspect.getmembers(LocalObjective,
                                               inspect.isfunction)
        # Python 3.14 adds functions of its own, such as __annotate_func__.
        if not name.startswith('__') and name not in ('state_dict',
                                                      'load_state_dict')
    }
    table = TEXT.split('| call | when | |')[1].split('\n\n')[0]
    calls = re.findall(r'^\| `(\w+)\((.*?)\)` \|', table, re.M)
    assert {
        name: arguments.split(', ') if arguments else []
        for name, arguments in calls
    } == methods


def test_no_attribute_of_a_start_is_left_out():
    for field in fields(TrainingStart):
        assert f'`{field.name}`' in TEXT.split('`TrainingStart` holds')[1][:300]


def test_the_flags_of_an_aggregator_have_their_defaults():
    table = TEXT.split('| attribute | default | |')[1].split('\n\n')[0]
    told = dict(re.findall(r'^\| `(\w+)` \| (\w+) \|', table, re.M))
    assert told == {
        name: str(value)
        for name, value in vars(Aggregator).items()
        if not name.startswith('_') and not callable(value) and name not in (
            'weights', 'proxy_loss')
    }
