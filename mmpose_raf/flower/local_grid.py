"""Flower's grid without a network: all clients in this process."""

from typing import Dict, Iterable, List, Tuple

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.task_identity import TaskIdentity

_SERVER = 1  # as Flower's own


class LocalGrid(Grid):
    """Calls a client app for each node in turn, for tests and small machines.

    Each message goes through Flower's own serialisation and back, as it
    would over the network.

    Args:
        clients (dict[int, tuple[ClientApp, dict]]): For each node the app
            and its node config.
    """

    def __init__(self, clients: Dict[int, Tuple[ClientApp, dict]]):
        self.clients = clients
        self._number = 0
        TaskIdentity.run_id, TaskIdentity.node_id = 1, _SERVER
        TaskIdentity.task_id = 1
        self._replies: Dict[str, Message] = {}

    def get_node_ids(self) -> List[int]:
        """The nodes that are there."""
        return list(self.clients)

    def push_messages(self, messages: Iterable[Message]) -> List[str]:
        """Let the clients answer, one after the other."""
        sent = []
        for message in messages:
            self._number += 1
            identity = f'message-{self._number}'
            message.metadata.__dict__['_message_id'] = identity
            self._replies[identity] = self._answer(message)
            sent.append(identity)
        return sent

    def pull_messages(self, message_ids: Iterable[str]) -> List[Message]:
        """The answers to some messages."""
        return [
            self._replies.pop(identity) for identity in message_ids
            if identity in self._replies
        ]

    def _answer(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        app, node_config = self.clients[node]
        context = Context(
            run_id=1,
            node_id=node,
            node_config=node_config,
            state=RecordDict(),
            run_config={})
        try:
            return _over_the_wire(
                app(message=_over_the_wire(message), context=context))
        except Exception as error:  # as Flower's own process does
            return Message(
                Error(code=2, reason=f'{type(error).__name__}: {error}'),
                reply_to=message)

    # A grid must have these; nothing here asks for them.
    def set_run(self, run):
        """Not needed."""

    @property
    def run(self):
        """Not there."""
        raise NotImplementedError

    def send_and_receive(self, messages, *, timeout=None):
        """Not needed: the server pushes and pulls."""
        raise NotImplementedError

    def create_message(self, *args, **kwargs):
        """Deprecated by Flower; use ``Message``."""
        raise NotImplementedError


def _over_the_wire(message: Message) -> Message:
    """What arrives of a message."""
    from flwr.supercore.inflatable.inflatable_object import (
        get_all_nested_objects)
    from flwr.supercore.inflatable.inflatable_utils import (
        inflate_object_from_contents)
    objects = {
        identity: thing.deflate()
        for identity, thing in get_all_nested_objects(message).items()
    }
    arrived = inflate_object_from_contents(message.object_id, objects)
    arrived.metadata.__dict__['_message_id'] = message.metadata.message_id
    return arrived
