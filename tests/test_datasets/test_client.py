"""Clients as a config names them."""

import numpy as np
import pytest
from mmengine.config import Config

from mmpose_raf.datasets.client import Client, parse_clients
from mmpose_raf.errors import ConfigError

FIELD = 'federation.clients'
HIGH = dict(name='high', input_size=(192, 256))
LOW = dict(name='low', input_size=(96, 128))


def test_parse():
    assert parse_clients([HIGH, LOW], FIELD) == [
        Client('high', (192, 256)),
        Client('low', (96, 128))
    ]


def test_sizes_of_json_are_tuples():
    client, = parse_clients([dict(name='a', input_size=[48, 64])], FIELD)
    assert client.input_size == (48, 64)


def test_several_sizes_run_from_high_to_low():
    client, = parse_clients(
        [dict(name='a', input_size=[[24, 32], (48, 64)])], FIELD)
    assert client.input_size == (48, 64)
    assert client.input_sizes == ((48, 64), (24, 32))
    assert client.resolution == '64x48, 32x24'


@pytest.mark.parametrize('number', [0, 1, 2, 7, 9])
def test_parts_of_several_sizes_are_a_partition(number):
    client = Client('a', (48, 64), ((32, 48), (24, 32)))
    parts = [client.part(np.arange(number), size) for size in range(3)]
    assert sorted(np.concatenate(parts)) == list(range(number))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_capture_size():
    plain, captured = parse_clients([
        HIGH, dict(name='a', input_size=(48, 64), capture_size=[24, 32])
    ], FIELD)
    assert plain.capture_size is None
    assert captured.capture_size == (24, 32)


def test_own_datasets():
    dataset = dict(type='CocoDataset')
    clients = parse_clients(
        [dict(HIGH, dataset=dataset),
         dict(LOW, dataset=dataset)], FIELD)
    assert [client.dataset for client in clients] == [dataset, dataset]


def test_clients_of_a_config_object():
    """MMEngine wraps dicts and lists of a config in its own classes."""
    cfg = Config(dict(clients=[HIGH, LOW]))
    assert [client.name for client in parse_clients(cfg.clients, FIELD)
            ] == ['high', 'low']


@pytest.mark.parametrize('configs, field, fragment', [
    ([], '', 'at least one'),
    (None, '', 'None'),
    ('high', '', "'high'"),
    (HIGH, '', 'list'),
    ([HIGH, 'low'], '[1]', "'low'"),
    ([HIGH, HIGH], '[1].name', "'high'"),
    ([HIGH, LOW, dict(HIGH)], '[2].name', "'high'"),
    ([dict(input_size=(48, 64))], '[0].name', 'None'),
    ([dict(HIGH, name='')], '[0].name', "''"),
    ([dict(HIGH, name=3)], '[0].name', '3'),
    ([dict(HIGH, size=3)], '[0].size',
     'name, input_size, capture_size, dataset'),
    ([dict(HIGH, capture_size=24)], '[0].capture_size', '24'),
    ([dict(HIGH, input_size=[(48, 64), 3])], '[0].input_size', '3'),
    ([dict(HIGH, input_size=[])], '[0].input_size', '[]'),
    ([HIGH, dict(name='b')], '[1].input_size', 'None'),
    ([dict(HIGH, input_size=64)], '[0].input_size', '64'),
    ([dict(HIGH, input_size=(64, ))], '[0].input_size', '(64,)'),
    ([dict(HIGH, input_size=(48, 64, 3))], '[0].input_size', '(w, h)'),
    ([dict(HIGH, input_size=(48, 0))], '[0].input_size', '(48, 0)'),
    ([dict(HIGH, input_size=(48, -64))], '[0].input_size', '-64'),
    ([dict(HIGH, input_size=(48., 64.))], '[0].input_size', '48.0'),
    ([dict(HIGH, input_size='48')], '[0].input_size', "'48'"),
    ([dict(HIGH, dataset=dict(type='A')), LOW], '', 'dataset'),
])
def test_errors(configs, field, fragment):
    with pytest.raises(ConfigError) as error:
        parse_clients(configs, FIELD)
    assert error.value.field == FIELD + field
    assert fragment in str(error.value)


@pytest.mark.parametrize('name', [
    '', ' ', 'a\nb', 'a/b', '../a', 'a\\b', '..', '.', 'a\x00', ' a', 'a' * 65,
    'a\x1b[31m', 3, None, True
])
def test_names_that_no_file_or_line_can_have(name):
    with pytest.raises(ConfigError) as error:
        parse_clients([dict(name=name, input_size=(48, 64))], 'clients')
    assert error.value.field == 'clients[0].name'
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize('name', ['high', 'Kamera 1', 'câmera', 'a.b', 'a' * 64])
def test_names(name):
    client, = parse_clients([dict(name=name, input_size=(48, 64))], 'clients')
    assert client.name == name


@pytest.mark.parametrize('speed', [0, -1, float('inf'), float('nan'), True])
def test_speeds(speed):
    with pytest.raises(ConfigError, match='samples_per_second'):
        parse_clients([
            dict(name='a', input_size=(48, 64), samples_per_second=speed)
        ], 'clients')
