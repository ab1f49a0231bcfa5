"""Whom the server asks, how often, and for how long it waits."""

import logging
from types import SimpleNamespace

import pytest
from flwr.app import Message, MessageType, RecordDict
from flwr.proto.node_pb2 import NodeInfo

from mmpose_raf.flower import nodes as module
from mmpose_raf.flower.local_grid import LocalGrid
from mmpose_raf.flower.nodes import Nodes
from mmpose_raf.flower.records import Terms, pack_name, pack_refusal

TERMS = Terms('0' * 32, '{}')


class Grid(LocalGrid):
    """Nodes of which each has one answer, whatever it is asked.

    Args:
        **answers: By name ``n<node>`` the content, or an exception.
    """

    def __init__(self, **answers):
        super().__init__({int(node[1:]): (self._of(int(node[1:])), {})
                          for node in answers})
        self.answers = {int(node[1:]): of for node, of in answers.items()}
        self.online = set(self.answers)
        self.asked = []

    def _of(self, node):

        def app(message, context):
            self.asked.append(node)
            if isinstance(self.answers[node], Exception):
                raise self.answers[node]
            return Message(self.answers[node], reply_to=message)

        return app

    def get_node_ids(self):
        return self.online


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=0.)

    def sleep(seconds):
        clock.now += seconds

    monkeypatch.setattr(module.time, 'monotonic', lambda: clock.now)
    monkeypatch.setattr(module.time, 'sleep', sleep)
    return clock


def make(grid):
    return Nodes(grid, ['high', 'low'], logging.getLogger('nodes'))


@pytest.mark.parametrize('answer', [
    pack_refusal('another config'),
                                    RuntimeError('crashed')],
                         ids=['refusal', 'crash'])
def test_a_node_that_was_left_out_is_asked_less_and_less(clock, answer):
    """After 10, 20, 40, ... seconds, and then every five minutes."""
    grid = Grid(n1=answer)
    nodes, times = make(grid), []
    for clock.now in range(2000):
        nodes.find(TERMS)
        if grid.asked:
            times.append(clock.now)
            grid.asked.clear()
    assert times == [0, 10, 30, 70, 150, 310, 610, 910, 1210, 1510, 1810]


def test_a_node_that_comes_anew_is_asked_at_once(clock):
    grid = Grid(n1=pack_refusal('another config'))
    nodes = make(grid)
    nodes.find(TERMS)
    grid.online = set()
    nodes.find(TERMS)
    grid.online, grid.answers[1] = {1}, pack_name('low')
    assert nodes.find(TERMS) == ['low']
    assert grid.asked == [1, 1]


def test_who_is_known_is_not_asked_again(clock):
    grid = Grid(n1=pack_name('low'), n2=pack_refusal('no'))
    nodes = make(grid)
    for _ in range(3):
        assert nodes.find(TERMS) == ['low']
    assert grid.asked == [1, 2]


class Silent(Grid):
    """Its nodes say who they are, and never answer a training.

    Attributes:
        activations (dict[int, list[str]]): When each has come, as the grid
            is told one time after the other.
    """

    def __init__(self, **answers):
        super().__init__(**answers)
        self.activations = {node: ['9:00'] for node in self.answers}

    def get_nodes(self):
        return [
            NodeInfo(node_id=node, last_activated_at=times.pop(0) if
                     len(times) > 1 else times[0])
            for node, times in self.activations.items()
        ]

    def pull_messages(self, message_ids):
        return [
            reply for reply in super().pull_messages(message_ids)
            if reply.metadata.message_type != MessageType.TRAIN
        ]


def test_a_node_that_was_restarted_is_not_waited_for(clock):
    """Its SuperNode has lost the message, but Flower says it is online."""
    grid = Silent(n1=pack_name('low'), n2=pack_name('high'))
    nodes = make(grid)
    nodes.find(TERMS)
    grid.activations[1] = ['9:00'] * 5 + ['9:07']
    begin = clock.now
    answers = nodes.ask(MessageType.TRAIN,
                        dict(low=RecordDict({}), high=RecordDict({})), 60.)
    assert answers == dict(low='it has left and come back',
                           high='no answer in 60 s')
    assert clock.now - begin == 60
    grid.activations[1] = ['9:07'] * 5 + ['9:14']
    begin = clock.now
    nodes.ask(MessageType.TRAIN, dict(low=RecordDict({})), 3600.)
    assert clock.now - begin == 12


def test_a_message_that_flower_does_not_take_is_not_waited_for(clock):
    grid = Grid(n1=pack_name('low'), n2=pack_name('high'))
    nodes = make(grid)
    nodes.find(TERMS)
    grid.push_messages = lambda messages: [None for _ in messages]
    answers = nodes.ask(MessageType.TRAIN, dict(low=RecordDict({})), 3600.)
    assert answers == dict(low='Flower did not take the message')
    assert clock.now == 0
