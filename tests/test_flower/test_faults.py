"""What goes wrong is named, and the others go on."""

import copy
import re

import pytest
import torch
from flwr.app import Message, RecordDict

from mmpose_raf.errors import ConfigError, TrainingError
from mmpose_raf.flower.client_app import app
from mmpose_raf.flower.client_file import ClientFile
from mmpose_raf.flower.local_client import LocalClient
from mmpose_raf.flower.tensors import pack_state, unpack_state
from tests.test_flower.deployed import deploy, grid_of, write_config
from tests.toy import (assert_states_equal, run, toy_config, toy_dataset,
                       weights_of)


class Broken:
    """An app that answers as it should but for some messages.

    Args:
        spoil (callable): From the request, the update as sent and the number
            of the message to what is sent instead.
    """

    def __init__(self, spoil):
        self.spoil = spoil
        self.number = 0

    def __call__(self, message, context):
        reply = app(message=message, context=context)
        if message.metadata.message_type == 'train':
            self.number += 1
            content = self.spoil(message.content, reply.content, self.number)
            reply = Message(content, reply_to=message)
        return reply


def config(tmp_path, **options):
    return toy_config(tmp_path / 'simulated', **{
        **dict(rounds=2, max_refusals=9), **options
    })


def with_broken(cfg, tmp_path, spoil, **node_config):
    """A grid whose client ``low`` is broken."""
    grid = grid_of(cfg, tmp_path, **node_config)
    node = max(grid.clients)
    grid.clients[node] = Broken(spoil), grid.clients[node][1]
    return grid


def changing(change):
    """Spoil the weights: the function changes their dict in place."""

    def spoil(request, update, number):
        state = unpack_state(update['state'])
        change(state, next(key for key in state if 'running_mean' in key))
        update['state'] = pack_state(state)
        return update

    return spoil


def truncate(request, update, number):
    array, = update['state'].values()
    array.data = array.data[:-3]
    return update


def empty(request, update, number):
    return RecordDict({})


def outdate(request, update, number):
    update['update']['version'] = 77
    return update


@pytest.mark.parametrize('spoil, reason', [
    (changing(lambda state, key: state[key].fill_(float('nan'))),
     'not finite'),
    (changing(lambda state, key: state.update(other=state.pop(key))),
     'unknown|missing'),
    (truncate, 'bytes instead of'),
    pytest.param(
        changing(lambda state, key: state.update({key: state[key][None]})),
        'has shape',
        marks=pytest.mark.slow),
    pytest.param(
        changing(lambda state, key: state.update({key: state[key].int()})),
        'int32',
        marks=pytest.mark.slow),
    pytest.param(empty, 'no update', marks=pytest.mark.slow),
    pytest.param(outdate, 'nothing was asked', marks=pytest.mark.slow),
])
def test_a_broken_update_is_refused_and_the_round_goes_on(
        tmp_path, spoil, reason):
    cfg = config(tmp_path, rounds=1)
    runner = deploy(cfg, tmp_path, with_broken(cfg, tmp_path, spoil))
    report = runner.train_loop.report
    assert set(report.refused) == {'low'}
    assert re.search(reason, report.refused['low'])
    assert [update.client for update in report.updates] == ['high']
    assert runner.train_loop.taken == dict(high=0)


def test_without_the_objectives_entries_it_is_refused(tmp_path):
    """The server knows which they are, though the first client lacks them."""

    def omit(request, update, number):
        upload = unpack_state(update['upload'])
        del upload[next(iter(upload))]
        update['upload'] = pack_state(upload)
        return update

    cfg = config(tmp_path, rounds=1, clients=('low', 'high'),
                 local_objective=dict(type='SCAFFOLD'))
    grid = grid_of(cfg, tmp_path)
    grid.clients[min(grid.clients)] = (Broken(omit),
                                       grid.clients[min(grid.clients)][1])
    report = deploy(cfg, tmp_path, grid).train_loop.report
    assert 'of its control variate' in report.refused['low']
    assert [update.client for update in report.updates] == ['high']


def test_a_client_that_crashes_is_absent_and_comes_back(tmp_path):
    def crash(request, update, number):
        if number == 1:
            raise MemoryError('killed')
        return update

    cfg = config(tmp_path, rounds=2)
    runner = deploy(cfg, tmp_path, with_broken(cfg, tmp_path, crash))
    log = next((tmp_path / 'server').glob('2*/*.log')).read_text()
    assert 'Client low is absent: Flower says MemoryError: killed' in log
    assert runner.train_loop.taken == dict(high=1, low=1)
    assert runner.train_loop.report.absent == {}


def test_a_client_that_is_too_slow_is_absent_and_forgets(tmp_path):
    cfg = config(tmp_path, rounds=2, local_params='norm')
    grid = grid_of(cfg, tmp_path)
    slow = max(grid.clients)
    answers, late = grid.pull_messages, []

    def pull_in_time(message_ids):
        for reply in answers(message_ids):
            is_late = (reply.metadata.message_type == 'train'
                       and reply.metadata.src_node_id == slow and not late)
            if is_late:
                late.append(reply)
            else:
                yield reply

    grid.pull_messages = pull_in_time
    loop = deploy(cfg, tmp_path, grid, timeout=.1).train_loop
    log = next((tmp_path / 'server').glob('2*/*.log')).read_text()
    assert 'Client low is absent: no answer in 0.1 s' in log
    assert loop.taken == dict(high=1, low=1)
    # Its moments start anew: they have seen the second training alone.
    kept = ClientFile(tmp_path / 'client_low', loop.terms.run).load(2, 1)
    steps = {int(moments['step']) for moments in kept.optimizer.values()}
    assert steps == {2}


def test_resumed_runs_are_the_simulations(tmp_path):
    """The server is killed when one client has trained, the other not."""

    def kill(request, update, number):
        if number == 2:
            raise KeyboardInterrupt
        return update

    cfg = config(tmp_path, rounds=3, local_params='norm', payload='int8')
    with pytest.raises(KeyboardInterrupt):
        deploy(cfg, tmp_path, with_broken(cfg, tmp_path, kill))
    with pytest.raises(ConfigError, match='already holds a run'):
        deploy(cfg, tmp_path)
    deployed = deploy(cfg, tmp_path, resume=True)
    simulated = run(cfg)
    assert_states_equal(weights_of(deployed), weights_of(simulated))
    # Whoever evaluates or exports finds what a simulation leaves.
    saved = [
        torch.load(tmp_path / folder / 'epoch_3.pth', weights_only=True)
        for folder in ('server', 'simulated')
    ]
    assert saved[0].keys() ^ saved[1].keys() <= {'param_schedulers'}
    assert_states_equal(saved[0]['meta']['dataset_meta'],
                        saved[1]['meta']['dataset_meta'])


def test_another_config_is_left_out(tmp_path):
    cfg = config(tmp_path)
    other = copy.deepcopy(cfg)
    other.optim_wrapper.optimizer.lr = 3e-4
    grid = grid_of(cfg, tmp_path)
    path = write_config(other, tmp_path / 'other.py')
    grid.clients[max(grid.clients)][1]['config'] = path
    runner = deploy(cfg, tmp_path, grid)
    log = next((tmp_path / 'server').glob('2*/*.log')).read_text()
    assert 'optim_wrapper.optimizer.lr: the server has 0.01, this client ' \
        '0.0003' in log
    assert runner.train_loop.report.absent == dict(low='it is not connected')


@pytest.mark.parametrize('node_config, reason', [
    (dict(client='nobody'), "no client 'nobody'"),
    (dict(client='high'), "it is another 'high'"),
    (dict(client=''), 'node-config.client: it is missing'),
    (dict(client=3), 'node-config.client: got 3'),
    (dict(cfg='x'), 'node-config.cfg: unknown key'),
    (dict(config='no.py'), 'no such file'),
])
def test_nodes_that_are_not_the_clients(tmp_path, node_config, reason):
    cfg = config(tmp_path, rounds=1)
    grid = grid_of(cfg, tmp_path)
    grid.clients[max(grid.clients)][1].update(node_config)
    runner = deploy(cfg, tmp_path, grid)
    log = next((tmp_path / 'server').glob('2*/*.log')).read_text()
    assert reason in log
    assert runner.train_loop.taken == dict(high=0)


def test_nobody_comes(tmp_path):
    cfg = config(tmp_path)
    grid = grid_of(cfg, tmp_path)
    grid.clients.clear()
    with pytest.raises(TrainingError, match='only 0 of 2 clients'):
        deploy(cfg, tmp_path, grid)


def test_nobody_answers(tmp_path):
    def crash(request, update, number):
        raise MemoryError

    cfg = config(tmp_path, clients=('low', ))
    with pytest.raises(TrainingError, match='none of the clients'):
        deploy(cfg, tmp_path, with_broken(cfg, tmp_path, crash))


def test_no_samples(tmp_path):
    data = tmp_path / 'data.py'
    data.write_text('train_dataloader = dict(dataset=dict(num_samples=0))')
    cfg = config(tmp_path, rounds=1)
    grid = grid_of(cfg, tmp_path)
    grid.clients[max(grid.clients)][1]['data'] = str(data)
    runner = deploy(cfg, tmp_path, grid)
    assert 'it has no samples' in runner.train_loop.report.refused['low']


def test_own_data(tmp_path):
    """As in a simulation whose clients have datasets of their own."""
    clients = [
        dict(client, dataset=toy_dataset(4, first=first))
        for client, first in zip(
            config(tmp_path).custom_hooks[0]['clients'], (1000, 2000))
    ]
    cfg = config(tmp_path)
    grid = grid_of(cfg, tmp_path)
    for (_, node), first in zip(grid.clients.values(), (1000, 2000)):
        data = tmp_path / f'{first}.py'
        data.write_text('train_dataloader = dict(dataset=dict('
                        f'num_samples=4, first={first}))')
        node['data'] = str(data)
    deployed = deploy(cfg, tmp_path, grid)
    simulated = run(config(tmp_path, clients=clients))
    assert_states_equal(weights_of(deployed), weights_of(simulated))


def test_a_file_about_data_is_about_data(tmp_path):
    data = tmp_path / 'data.py'
    data.write_text('optim_wrapper = dict(optimizer=dict(lr=9.))')
    client = LocalClient('low', write_config(config(tmp_path),
                                             tmp_path / 'c.py'), str(data))
    from mmpose_raf.config_file import read_config
    from mmpose_raf.engine.preflight import read_settings
    cfg = read_config(client.config)
    with pytest.raises(ConfigError, match='not about data'):
        client._localised(cfg, read_settings(cfg))


@pytest.mark.parametrize('options, reason', [
    (dict(aggregator=dict(type='LearnableWeights', proxy_samples=2)),
     'needs training samples'),
    (dict(hooks=[dict(type='EMAHook')]), 'EMAHook'),
    (dict(adapters=dict(type='LoRA')), 'never sent'),
    (dict(local_params='norm', aggregator=dict(type='HeteroFL'),
          clients=[dict(name='a', input_size=(16, 32), width=.5)]),
     'does not know their first values'),
    (dict(aggregator=dict(type='StalenessAware'),
          clients=[dict(name=n, input_size=(16, 32), samples_per_second=1.)
                   for n in 'ab']), 'asynchronous'),
])
def test_what_cannot_be_deployed_is_refused(tmp_path, options, reason):
    cfg = config(tmp_path, **options)
    with pytest.raises(ConfigError, match=reason):
        deploy(cfg, tmp_path)


def test_clients_evaluate(tmp_path):
    cfg = config(tmp_path, rounds=1, val=True)
    grid = grid_of(cfg, tmp_path)
    for (_, node), count in zip(grid.clients.values(), (4, 1)):
        data = tmp_path / f'{count}.py'
        data.write_text('val_dataloader = dict(dataset=dict('
                        f'num_samples={count}))')
        node['data'] = str(data)
    runner = deploy(cfg, tmp_path, grid, evaluate='clients')
    got = {
        name: runner.message_hub.get_scalar(f'val/{name}').current()
        for name in ('high/score', 'low/score', 'score')
    }
    assert got['score'] == pytest.approx(
        (4 * got['high/score'] + got['low/score']) / 5)
    assert got['high/score'] != got['low/score']


def test_the_server_evaluates_as_in_the_simulation(tmp_path):
    cfg = config(tmp_path, rounds=1, val=True)
    scores = [
        runner.message_hub.get_scalar('val/score').current()
        for runner in (run(cfg), deploy(cfg, tmp_path, evaluate='server'))
    ]
    assert scores[0] == scores[1]
