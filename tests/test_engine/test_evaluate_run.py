"""A run that is already there is evaluated."""

import shutil

import pytest
import torch

from mmpose_raf.engine import MultiResolutionTestLoop, evaluate_run
from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation import DriftResult
from tests.test_engine.many_sizes import evaluation_config
from tests.toy import run, toy_model


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """The work dir of a run that MMEngine's own tools could have made."""
    work_dir = tmp_path_factory.mktemp('run')
    cfg = evaluation_config(work_dir, num_samples=6)
    cfg.train_cfg.max_epochs = 1
    cfg.test_cfg = dict()
    cfg.custom_imports = dict(imports=['mmpose_raf', 'tests.toy'])
    runner = run(cfg)
    path, = work_dir.glob('*.py')
    path.rename(work_dir / 'toy.py')
    return runner, work_dir


@pytest.fixture
def work_dir(trained, tmp_path):
    return shutil.copytree(trained[1], tmp_path / 'moved')


def test_the_run_stays_as_it_is(work_dir):
    before = {path: path.read_bytes() for path in work_dir.glob('*.*')}
    path = evaluate_run(work_dir, SIZES)
    assert DriftResult.load(path).name == 'moved'
    assert (work_dir / 'drift_gallery.npz').is_file()
    for path, content in before.items():
        assert path.read_bytes() == content


SIZES = [(48, 64), (16, 32)]


def test_equal_to_the_runners_own_test(trained, work_dir):
    path = evaluate_run(work_dir, SIZES)
    assert path == work_dir / 'drift.json'
    result = DriftResult.load(path)
    assert list(result.accuracy) == SIZES
    assert [client.name for client in result.clients] == ['high', 'low']
    # The model in memory, tested by the loop itself.
    runner, _ = trained
    loop = MultiResolutionTestLoop(runner, runner._test_dataloader,
                                   runner._test_evaluator, SIZES)
    runner._work_dir = str(work_dir)
    expected = loop.run()
    for view in result.plain_views:
        name = f'{view.view.name}/PCK'
        assert view.metrics['PCK'] == pytest.approx(expected[name], abs=1e-6)


def test_sizes_may_be_the_configs(work_dir):
    config = work_dir / 'toy.py'
    text = config.read_text()
    config.write_text(
        text + "\ntest_cfg = dict(type='MultiResolutionTestLoop', "
        'input_sizes=[(64, 96)])\n')
    result = DriftResult.load(evaluate_run(work_dir))
    assert list(result.accuracy) == [(64, 96)]
    # The clients' own are not summarised.
    assert [view.view.input_size for view in result.views
            ] == [(64, 96), *SIZES]


def test_sizes_must_be_known(work_dir):
    with pytest.raises(ConfigError, match='tests at one size') as error:
        evaluate_run(work_dir)
    assert error.value.field == '--input-sizes'


def test_an_empty_folder(tmp_path):
    with pytest.raises(ConfigError, match='no checkpoint'):
        evaluate_run(tmp_path, SIZES)


@pytest.mark.parametrize('number', [0, 2])
def test_the_config_must_be_clear(work_dir, number):
    (work_dir / 'toy.py').rename(work_dir / 'toy.txt')
    for index in range(number):
        shutil.copy(work_dir / 'toy.txt', work_dir / f'{index}.py')
    with pytest.raises(ConfigError, match=f'holds {number} configs'):
        evaluate_run(work_dir, SIZES)


def test_a_checkpoint_of_another_architecture(work_dir):
    checkpoint = next(work_dir.glob('epoch_*.pth'))
    saved = torch.load(checkpoint)
    weights = saved['state_dict']
    key = 'backbone.ln1.weight' if 'backbone.ln1.weight' in weights else next(
        iter(weights))
    weights[key] = torch.zeros(3)
    torch.save(saved, checkpoint)
    with pytest.raises(ConfigError, match='another shape') as error:
        evaluate_run(work_dir, SIZES)
    assert '\n' not in str(error.value)
    del weights[key]
    torch.save(saved, checkpoint)
    with pytest.raises(ConfigError, match=f'missing, e.g. {key}'):
        evaluate_run(work_dir, SIZES)
    assert not (work_dir / 'drift.json').exists()


def test_a_size_that_the_patch_does_not_fit(work_dir):
    with pytest.raises(ConfigError, match='64x40'):
        evaluate_run(work_dir, [(40, 64)])
    assert toy_model()['backbone'].get('patch_size', 16) == 16
