"""The Flower app of a client: ``clientapp`` in a ``pyproject.toml``.

Flower starts a process for each message. The client answers from its own
config and its own files; the server sends weights and numbers alone.
"""

from typing import Callable

from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

import mmpose_raf  # noqa: F401  registers everything
from mmpose_raf.errors import ConfigError
from .local_client import LocalClient
from .records import (pack_metrics, pack_name, pack_refusal, pack_update,
                      unpack_request, unpack_terms, unpack_weights)
from .tensors import MessageError

app = ClientApp()


@app.query()
def introduce(message: Message, context: Context) -> Message:
    """Say which client this is, if it means the same training."""

    def answer(client: LocalClient) -> RecordDict:
        client.check(unpack_terms(message.content))
        return pack_name(client.client)

    return _reply(message, context, answer)


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train from the weights sent, and send the update."""

    def answer(client: LocalClient) -> RecordDict:
        request, taken = unpack_request(message.content)
        return pack_update(
            client.train(unpack_terms(message.content), request, taken))

    return _reply(message, context, answer)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Evaluate the weights sent on the client's own data."""

    def answer(client: LocalClient) -> RecordDict:
        terms = unpack_terms(message.content)
        return pack_metrics(
            *client.evaluate(terms, *unpack_weights(message.content)))

    return _reply(message, context, answer)


def _reply(message: Message, context: Context,
           answer: Callable[[LocalClient], RecordDict]) -> Message:
    """Answer; what a user can mend is told to the server in one line."""
    try:
        content = answer(LocalClient.of_node(dict(context.node_config)))
    except (ConfigError, MessageError) as error:
        content = pack_refusal(str(error))
    return Message(content, reply_to=message)
