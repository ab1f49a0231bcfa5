"""Experiments that differ from one config in a few fields."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmpose_raf.errors import ConfigError
from mmpose_raf.experiments import load_experiments
from mmpose_raf.experiments.experiment_set import replace_fields

BASE = '''
model = dict(ladder=[(48, 64), (16, 32)], distill=dict(alpha=1., teacher='a'))
custom_hooks = [
    dict(type='OtherHook', seed=9),
    dict(type='FederatedHook')
]
federation = dict(clients=[dict(name='a', input_size=(48, 64))])
'''
SET = '''
base = 'base.py'
input_sizes = [(48, 64)]
seeds = [3, 4]
axes = dict(
    alpha=dict(low={'model.distill.alpha': .1}, none={'model.distill': None}),
    size=dict(small={'federation.clients.0.input_size': (16, 32)}))
'''
SETS = sorted((Path(__file__).parents[2] / 'configs/experiments').glob('*.py'))


@pytest.fixture
def written(tmp_path):
    (tmp_path / 'base.py').write_text(BASE)
    path = tmp_path / 'set.py'
    path.write_text(SET)
    return path


def test_every_combination_is_an_experiment(written):
    experiments = load_experiments(written)
    assert [experiment.name for experiment in experiments] == [
        'low-small-seed3', 'none-small-seed3', 'low-small-seed4',
        'none-small-seed4'
    ]
    low, none = (experiment.config for experiment in experiments[:2])
    assert low.model.distill == dict(alpha=.1, teacher='a')
    assert low.custom_hooks[0].seed == 9  # it is not the run's
    assert low.federation.clients[0].input_size == (16, 32)
    assert low.randomness == dict(seed=3)
    assert low.test_cfg == dict(type='MultiResolutionTestLoop',
                                input_sizes=[(48, 64)])
    assert none.model.distill is None
    assert none.model.ladder == [(48, 64), (16, 32)]
    assert experiments[2].config.randomness == dict(seed=4)


def test_a_value_may_have_several_parts(written):
    """They are taken in their order, the last one counts."""
    written.write_text(
        SET.replace(
            "none={'model.distill': None}", "none=[{'model.distill': None, "
            "'model.ladder': [(48, 64)]}, {'model.ladder': []}, {}]"))
    low, none = (experiment.config.model
                 for experiment in load_experiments(written)[:2])
    assert (none.distill, none.ladder) == (None, [])
    assert low.ladder == [(48, 64), (16, 32)]


@pytest.mark.parametrize('value', ['3', '[3]', "[{'model.ladder': []}, 'x']"])
def test_a_value_that_has_no_fields(written, value):
    written.write_text(
        SET.replace("none={'model.distill': None}", f'none={value}'))
    with pytest.raises(ConfigError, match='or a list of such dicts'):
        load_experiments(written)


def test_options_of_the_test_loop_stay(written):
    (written.parent / 'base.py').write_text(
        BASE + "test_cfg = dict(type='MultiResolutionTestLoop', "
        "input_sizes=[(9, 9)], key_metric='AUC', fp16=True)\n")
    written.write_text(
        SET.replace("none={'model.distill': None}",
                    "none={'test_cfg.key_metric': 'PCK'}"))
    low, none = (experiment.config.test_cfg
                 for experiment in load_experiments(written)[:2])
    assert low == dict(type='MultiResolutionTestLoop',
                       input_sizes=[(48, 64)],
                       key_metric='AUC',
                       fp16=True)
    assert none.key_metric == 'PCK'


@pytest.mark.parametrize('line, field', [
    ('input_sizes = [(7, 13), 3]', 'input_sizes'),
    ('input_sizes = (48, 64)', 'input_sizes'),
    ('seeds = 3', 'seeds'),
    ("seeds = ['a']", 'seeds'),
    ('seeds = []', 'seeds'),
    ('base = 1', 'base'),
    ("axes = ['x']", 'axes'),
    ("axes = dict(a=['x'])", 'axes.a'),
    ('axes = dict(a=dict(b=None))', 'axes.a.b'),
    ("axes = dict(a={'x/y': dict()})", 'axes.a'),
])
def test_a_set_of_wrong_types(written, line, field):
    written.write_text(f'{SET}\n{line}\n')
    with pytest.raises(ConfigError) as error:
        load_experiments(written)
    assert error.value.field == f'{written}: {field}'


def test_dicts_are_replaced_not_merged():
    config = Config(dict(model=dict(distill=dict(alpha=1., teacher='a'))))
    replace_fields(config, {'model.distill': dict(alpha=2.)}, 'here')
    assert config.model.distill == dict(alpha=2.)


def test_experiments_share_nothing():
    value = [1]
    first, second = Config(dict(a=0)), Config(dict(a=0))
    replace_fields(first, {'a': value}, 'here')
    replace_fields(second, {'a': value}, 'here')
    first.a.append(2)
    assert second.a == [1]


@pytest.mark.parametrize('dotted', [
    'nothing.alpha', 'model.ladder.7', 'model.ladder.x', 'model.ladder.0.a.b'
])
def test_fields_that_are_not_there(dotted):
    config = Config(dict(model=dict(ladder=[3])))
    with pytest.raises(ConfigError, match='no such field') as error:
        replace_fields(config, {dotted: 1}, 'axes.a.b')
    assert error.value.field == f'axes.a.b: {dotted}'


@pytest.mark.parametrize('key', ['base', 'axes', 'input_sizes'])
def test_a_set_must_be_whole(written, key):
    written.write_text(SET + f'\n{key} = None\n')
    with pytest.raises(ConfigError, match=f'{key}: it is missing'):
        load_experiments(written)


@pytest.mark.parametrize('text, message', [
    (None, 'no such file'),
    ('base = ', 'SyntaxError'),
    (SET.replace('base.py', 'other.py'), 'no such file'),
])
def test_a_set_that_cannot_be_read(written, text, message):
    if text is None:
        written.unlink()
    else:
        written.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_experiments(written)


@pytest.mark.parametrize('path', [
    pytest.param(
        path,
        id=path.stem,
        marks=[pytest.mark.slow] if 'matrix' in path.stem else [])
    for path in SETS
])
def test_the_sets_of_the_project(path):
    experiments = load_experiments(path)
    names = [experiment.name for experiment in experiments]
    assert len(set(names)) == len(names)
    texts = {experiment.config.pretty_text for experiment in experiments}
    assert len(texts) == len(names)  # no two are the same


@pytest.mark.slow
@pytest.mark.parametrize('name', ['mpii_matrix', 'synthetic_matrix'])
def test_the_matrix_is_the_papers(name):
    path = next(path for path in SETS if path.stem == name)
    experiments = load_experiments(path)
    assert len(experiments) == 3 * 3 * 8
    cells = {}
    for experiment in experiments:
        encoding, training, federation = experiment.name.split('-')[:3]
        config = experiment.config
        assert config.model.backbone.pos_embed == encoding[:3]
        assert config.model.backbone.lpe == encoding.endswith('lpe')
        assert bool(config.model.ladder) == (training != 'single')
        assert bool(config.model.distill) == (training == 'raf')
        clients = config.federation.clients
        cells[federation] = [client.input_size for client in clients]
    high, mid, low = cells['hml']
    assert high > mid > low
    assert cells['central_mixed'] == [[high, mid, low]]
    for letter, size in zip('hml', (high, mid, low)):
        assert cells[f'central_{letter}'] == [size]
        assert cells[letter * 3] == [size] * 3


def test_mpii_has_the_papers_number_of_persons():
    path = next(path for path in SETS if path.stem == 'mpii_matrix')
    for experiment in load_experiments(path):
        federation = experiment.config.federation
        count = federation.partitioner.samples_per_client * len(
            federation.clients)
        assert count == 12000
