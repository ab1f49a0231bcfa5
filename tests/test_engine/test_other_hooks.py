"""MMEngine's and MMPose's own hooks and backends beside the federation."""

import copy
import json
import re
from pathlib import Path

import pytest
import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS
from tensorboard.backend.event_processing.event_accumulator import \
    EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2, metadata

from tests.toy import (SIZES, Witness, assert_states_equal, hook_of, run,
                       toy_config, weights_of)

WITNESS = dict(type='Witness')
ITERATION = re.compile(
    r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\].* eta: ([^ ]+) ')


def read_log(runner):
    return '\n'.join(path.read_text()
                     for path in _folder(runner).glob('*.log'))


def read_scalars(runner):
    path, = (_folder(runner) / 'vis_data').glob('scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


def _folder(runner):
    return Path(runner.log_dir)


@pytest.fixture(scope='module')
def partial(tmp_path_factory):
    """Clients of unequal sizes, of which two out of three take part."""
    clients = [
        dict(name=name, input_size=SIZES['low']) for name in ('a', 'b', 'c')
    ]
    return run(
        toy_config(tmp_path_factory.mktemp('partial'),
                   clients=clients,
                   rounds=4,
                   num_samples=18,
                   hooks=[WITNESS],
                   val=True,
                   participation=.67,
                   partitioner=dict(type='RandomPartitioner',
                                    samples_per_client=[3, 6, 9])))


def test_counts_with_absent_clients(partial):
    iterations = hook_of(partial, Witness).iterations
    assert [seen['iter']
            for seen in iterations] == list(range(len(iterations)))
    lengths = []
    for round_ in range(4):
        own = [seen for seen in iterations if seen['round'] == round_]
        assert [seen['batch_idx'] for seen in own] == list(range(len(own)))
        assert {seen['num_batches'] for seen in own} == {len(own)}
        assert len({seen['client'] for seen in own}) == 2
        lengths.append(len(own))
    # 1 + 2, 1 + 3 or 2 + 3 batches: the rounds are not equally long, and
    # their sum is not what MMEngine computes from the whole dataset.
    assert len(set(lengths)) > 1
    assert partial.max_iters == partial.iter == len(iterations)
    assert partial.message_hub.get_info('max_iters') == len(iterations)


def test_logged_counts_and_remaining_time(partial):
    lines = ITERATION.findall(read_log(partial))
    iterations = hook_of(partial, Witness).iterations
    assert [(int(a), int(b), int(c)) for a, b, c, _ in lines] == [
        (seen['round'] + 1, seen['batch_idx'] + 1, seen['num_batches'])
        for seen in iterations
    ]
    etas = [eta for *_, eta in lines]
    assert all(re.fullmatch(r'\d:\d\d:\d\d', eta) for eta in etas)
    assert etas[-1] == '0:00:00'


def test_rounds_are_logged_as_tables(partial):
    log = read_log(partial)
    iterations = hook_of(partial, Witness).iterations
    for round_ in range(4):
        names = sorted(
            {seen['client']
             for seen in iterations if seen['round'] == round_})
        head = f'Round [{round_ + 1}/4], 2 of 3 clients:\n'
        assert log.count(head) == 1
        table = log.split(head)[1].splitlines()[:7]
        assert max(map(len, table)) <= 100
        columns = ['_'.join(cells).strip('_')
                   for cells in zip(cells_of(table[1]), cells_of(table[2]))]
        assert columns == [
            'client', 'resolution', 'samples', 'loss', 'acc_pose',
            'update_norm', 'update_cosine', 'weight'
        ]
        rows = [cells_of(line) for line in table[4:6]]
        samples = dict(a='3', b='6', c='9')
        assert [row[:3] for row in rows] == [[name, '32x16', samples[name]]
                                             for name in names]
        for name in names:
            count = {'a': 1, 'b': 2, 'c': 3}[name]
            # What the table has is not told twice.
            assert re.search(
                fr'Round \[{round_ + 1}/4\] client {name} \(32x16\): '
                fr'{count} iterations in [\d.]+ s  task_32x16: [\d.]+\n', log)


def cells_of(line):
    return [cell.strip() for cell in line.split('|')[1:-1]]


def test_lines_of_iterations_name_the_client(partial):
    names = re.findall(r'INFO - (\w+): Epoch\(train\)', read_log(partial))
    iterations = hook_of(partial, Witness).iterations
    assert names == [seen['client'] for seen in iterations]


def test_iterations_have_no_values_of_other_clients(tmp_path):
    """Only the larger of the two sizes has a lower level to train on."""
    runner = run(toy_config(tmp_path, clients=('high', 'low'),
                            hooks=[WITNESS]))
    rows = [row for row in read_scalars(runner) if 'iter' in row]
    seen = hook_of(runner, Witness)
    assert len(rows) == len(seen.losses)
    for row, iteration in zip(rows, seen.iterations):
        is_high = iteration['client'] == 'high'
        assert ('task_64x48' in row) == is_high
        assert 'task_32x16' in row
    # Means begin anew with each client.
    for row, iteration, loss in zip(rows, seen.iterations, seen.losses):
        if iteration['batch_idx'] in (0, 2):
            assert row['loss'] == pytest.approx(loss)


def test_scalars_carry_the_name_of_the_client(partial):
    scalars = read_scalars(partial)
    iterations = hook_of(partial, Witness).iterations
    by_client = [row for row in scalars if any('/' in key for key in row)]
    assert [row['step'] for row in by_client] == [1, 2, 3, 4]
    for row in by_client:
        names = {key.split('/')[0] for key in row if '/' in key}
        assert names == {
            seen['client']
            for seen in iterations if seen['round'] == row['step'] - 1
        }
        for name in names:
            assert row[f'{name}/loss'] > 0
            assert row[f'{name}/seconds'] > 0
    # MMEngine's own lines are there as well.
    steps = [row['step'] for row in scalars if 'loss' in row and 'iter' in row]
    assert len(steps) == len(iterations)
    assert len([row for row in scalars if 'score' in row]) == 4


def test_the_partition_is_logged(partial):
    table = read_log(partial).split('Federation:\n')[1]
    assert re.search(r'\| c +\| +32x16 +\| +9 \|', table)


def test_validation_sees_the_global_weights(tmp_path):
    seen = []

    @HOOKS.register_module(force=True)
    class OnValidation(Hook):

        def before_val_epoch(self, runner):
            seen.append(weights_of(runner))

    runner = run(
        toy_config(tmp_path,
                   val=True,
                   hooks=[WITNESS, dict(type='OnValidation')]))
    assert_states_equal(seen, hook_of(runner, Witness).rounds)
    assert len(seen) == 2


@pytest.mark.parametrize('priority', ['VERY_LOW', 'NORMAL', 'VERY_HIGH'])
def test_hooks_after_an_epoch_see_the_global_weights(tmp_path, priority):
    """Of any priority, wherever they stand in the list."""
    seen = []

    @HOOKS.register_module(force=True)
    class AfterEpoch(Hook):

        def after_train_epoch(self, runner):
            seen.append(weights_of(runner))

    cfg = toy_config(tmp_path, rounds=1, hooks=[WITNESS])
    cfg.custom_hooks.insert(0, dict(type='AfterEpoch', priority=priority))
    runner = run(cfg)
    assert_states_equal(seen, hook_of(runner, Witness).rounds)


def test_before_an_average_begins_it_is_the_global_model(tmp_path):
    """And not the last client's, whom MMEngine's copy follows."""
    runner = run(
        toy_config(tmp_path,
                   hooks=[WITNESS, dict(type='EMAHook', begin_epoch=2)]))
    saved = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)
    assert_states_equal(dict(saved['state_dict']),
                        dict(hook_of(runner, Witness).rounds[0]))


def test_ema_averages_the_iterates(tmp_path):
    """Over all clients in turn, against the recursion by hand."""
    iterates = []

    @HOOKS.register_module(force=True)
    class AfterIteration(Hook):

        def after_train_iter(self, runner, **kwargs):
            iterates.append(weights_of(runner))

    runner = run(
        toy_config(tmp_path,
                   val=True,
                   hooks=[
                       WITNESS,
                       dict(type='AfterIteration'),
                       dict(type='EMAHook', momentum=.2)
                   ]))
    names = [name for name, _ in runner.model.named_parameters()]
    # The first update of MMEngine's ExponentialMovingAverage is a copy.
    average = copy.deepcopy(iterates[0])
    for weights in iterates[1:]:
        for name in names:
            average[name] = .8 * average[name] + .2 * weights[name]
    ema = hook_of(runner, EMAHook).ema_model.module.state_dict()
    for name in names:
        torch.testing.assert_close(ema[name], average[name])

    # The runner keeps the global weights; the checkpoint is for deployment.
    weights = hook_of(runner, Witness).rounds[-1]
    assert_states_equal(weights_of(runner), weights)
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)
    # Buffers are not averaged over iterations, but over clients.
    buffers = set(weights) - set(names)
    assert any('running_mean' in name for name in buffers)
    for name in buffers:
        assert torch.equal(saved['state_dict'][name], weights[name])
    for name in names:
        assert torch.equal(saved['state_dict'][name], ema[name])
        assert torch.equal(saved['ema_state_dict'][f'module.{name}'],
                           weights[name])


def test_early_stopping(tmp_path):
    runner = run(
        toy_config(
            tmp_path,
            rounds=9,
            val=True,
            hooks=[
                dict(
                    type='EarlyStoppingHook',
                    monitor='score',
                    rule='greater',
                    # No round is better by this much.
                    min_delta=1e6,
                    patience=2)
            ]))
    assert runner.epoch == 3


def test_checkpoint_hook(tmp_path):
    cfg = toy_config(tmp_path, rounds=5, val=True, clients=('low', ))
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook',
                                        interval=2,
                                        max_keep_ckpts=1,
                                        save_best='score',
                                        rule='greater')
    run(cfg)
    # MMEngine saves the last epoch in any case.
    assert [path.name
            for path in tmp_path.glob('epoch_*.pth')] == ['epoch_5.pth']
    assert len(list(tmp_path.glob('best_score_epoch_*.pth'))) == 1
    last = (tmp_path / 'last_checkpoint').read_text()
    assert last.endswith('epoch_5.pth')


def test_tensorboard(tmp_path):
    cfg = toy_config(tmp_path, val=True)
    cfg.visualizer.vis_backends = [
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend')
    ]
    runner = run(cfg)
    runner.visualizer.close()
    events = EventAccumulator(str(_folder(runner) / 'vis_data'))
    events.Reload()
    tags = events.Tags()['scalars']
    assert {'loss', 'lr', 'high/loss', 'low/loss', 'score'} <= set(tags)
    assert [event.step for event in events.Scalars('low/loss')] == [1, 2]
    expected = [
        row['low/loss'] for row in read_scalars(runner) if 'low/loss' in row
    ]
    assert [event.value
            for event in events.Scalars('low/loss')] == pytest.approx(expected)
    charts = charts_of(events)
    assert {'loss', 'acc_pose', 'update_norm'} <= set(charts)
    assert [tag for tag in sorted(tags)
            if re.match(charts['loss'], tag)] == ['high/loss', 'low/loss']


def charts_of(events):
    """The pattern of the tags that each chart of TensorBoard's lays over each
    other, as its plugin reads it."""
    event, = events.Tensors(metadata.CONFIG_SUMMARY_TAG)
    layout = layout_pb2.Layout()
    layout.ParseFromString(event.tensor_proto.string_val[0])
    return {chart.title: chart.multiline.tag[0]
            for category in layout.category for chart in category.chart}


def test_no_visualizer_backend(tmp_path):
    cfg = toy_config(tmp_path, rounds=1)
    cfg.pop('visualizer')
    assert run(cfg).epoch == 1


def test_names_of_clients_are_no_markup(tmp_path):
    clients = [
        dict(name='[red]a', input_size=SIZES['low']),
        dict(name='b_c d', input_size=SIZES['low'])
    ]
    runner = run(toy_config(tmp_path, clients=clients, rounds=1))
    log = read_log(runner)
    assert '| [red]a |' in log
    assert '[red]a/loss' in read_scalars(runner)[-1]
