"""Which of Flower's nodes is which client, and questions to them."""

import time
from typing import Dict, List, Mapping, Sequence, Tuple, Union

from flwr.app import Message, MessageType, RecordDict
from flwr.serverapp import Grid
from mmengine.logging import MMLogger

from mmpose_raf.errors import TrainingError
from .records import Terms, pack_terms, unpack_name
from .tensors import MessageError

#: What has come of a question: the answer, or why there is none.
Answer = Union[RecordDict, str]
# Seconds for a client to say who it is: a process starts, and reads a config.
_INTRODUCTION = 300
_POLL = 1.
# As often as Flower itself looks for answers.
_ANSWER_POLL = 3.
# Seconds until a node that was left out is asked again, at first and at most.
# Each question costs it a process, and if that starts too slowly, Flower says
# that it has crashed.
_FIRST_PAUSE, _LONGEST_PAUSE = 10., 300.


class Nodes:
    """Knows the clients that are connected, by their names.

    A node that comes is asked which client it is; one that refuses the
    training, or whose name is unknown or taken, is left out and named in the
    log. It is asked again when it has come anew, or after a pause, which
    grows.

    Args:
        grid (Grid): Flower's way to the nodes.
        names (list[str]): Names of the federation's clients.
        logger (MMLogger): The run's.
    """

    def __init__(self, grid: Grid, names: Sequence[str], logger: MMLogger):
        self.grid = grid
        self.names = names
        self.logger = logger
        self._nodes: Dict[str, int] = {}
        self._complaints: Dict[int, str] = {}
        # Of those that were left out: until when, and the pause.
        self._pauses: Dict[int, Tuple[float, float]] = {}

    def find(self, terms: Terms) -> List[str]:
        """Names of the clients that are connected now.

        Args:
            terms (Terms): What they are told about the run.
        """
        online = set(self.grid.get_node_ids())
        self._nodes = {
            name: node
            for name, node in self._nodes.items() if node in online
        }
        self._pauses = {
            node: pause
            for node, pause in self._pauses.items() if node in online
        }
        now = time.monotonic()
        strangers = sorted(
            node for node in online - set(self._nodes.values())
            if node not in self._pauses or self._pauses[node][0] <= now)
        if strangers and len(self._nodes) < len(self.names):
            messages = {
                node: Message(pack_terms(terms), node, MessageType.QUERY)
                for node in strangers
            }
            for node, answer in self._send(messages, _INTRODUCTION).items():
                self._note(node, answer)
        return [name for name in self.names if name in self._nodes]

    def wait(self, terms: Terms, wanted: Sequence[str], least: int,
             seconds: float) -> List[str]:
        """Wait for clients.

        Args:
            terms (Terms): What they are told about the run.
            wanted (list[str]): Those that are waited for.
            least (int): How many of them are enough after that time.
            seconds (float): How long.

        Returns:
            list[str]: Those of them that are connected.

        Raises:
            TrainingError: If there are still too few.
        """
        end = time.monotonic() + seconds
        while True:
            found = [name for name in self.find(terms) if name in wanted]
            if len(found) == len(wanted):
                return found
            if time.monotonic() >= end:
                break
            time.sleep(_POLL)
        if len(found) < least:
            missing = [name for name in wanted if name not in found]
            raise TrainingError(
                f'in {seconds:g} s only {len(found)} of {len(wanted)} clients '
                f'have come, {least} are needed; there is no '
                f'{", ".join(missing)}')
        return found

    def ask(self, kind: str, contents: Mapping[str, RecordDict],
            seconds: float) -> Dict[str, Answer]:
        """Ask clients and wait for their answers.

        Args:
            kind (str): One of Flower's message types.
            contents (dict[str, RecordDict]): What each client is sent.
            seconds (float): How long to wait. Later answers are dropped.

        Returns:
            dict[str, RecordDict | str]: For each of them its answer, or why
            there is none.
        """
        nodes = {self._nodes[name]: name for name in contents}
        answers = self._send(
            {
                node: Message(contents[name], node, kind, ttl=seconds)
                for node, name in nodes.items()
            }, seconds)
        return {name: answers[node] for node, name in nodes.items()}

    def _send(self, messages: Dict[int, Message],
              seconds: float) -> Dict[int, Answer]:
        """Ask nodes; what comes after that time is dropped."""
        begun = self._activations()
        sent = self.grid.push_messages(list(messages.values()))
        waiting = {
            identity: node
            for identity, node in zip(sent, messages) if identity
        }
        answers: Dict[int, Answer] = {
            node: 'Flower did not take the message'
            for node in messages
        }
        end = time.monotonic() + seconds
        while waiting:
            now = self._activations()
            # That a node is lost is told by another node: not where a reply
            # comes from counts, but what it answers.
            for reply in self.grid.pull_messages(list(waiting)):
                node = waiting.pop(reply.metadata.reply_to_message_id)
                answers[node] = reply.content if reply.has_content(
                ) else _error_of(reply)
            # Flower reports a lost node only while it is away.
            for identity, node in list(waiting.items()):
                if now.get(node, begun.get(node)) != begun.get(node):
                    del waiting[identity]
                    answers[node] = 'it has left and come back'
            left = end - time.monotonic()
            if not waiting or left <= 0:
                break
            time.sleep(min(_ANSWER_POLL, left))
        for node in waiting.values():
            answers[node] = f'no answer in {seconds:g} s'
        return answers

    def _activations(self) -> Dict[int, str]:
        """When each node that is there has come."""
        return {
            node.node_id: node.last_activated_at
            for node in self.grid.get_nodes()
        }

    def _note(self, node: int, answer: Answer):
        """Take in who a node says it is."""
        complaint = None
        try:
            if isinstance(answer, str):
                raise MessageError(answer)
            name = unpack_name(answer)
            if name not in self.names:
                raise MessageError(f'it is {name!r}, of whom nobody knows')
            if name in self._nodes:
                raise MessageError(f'it is another {name!r}')
        except MessageError as error:
            complaint = str(error)
            if self._complaints.get(node) != complaint:  # once
                self.logger.error(f'Node {node} is left out: {complaint}')
            self._complaints[node] = complaint
            _, last = self._pauses.get(node, (0., _FIRST_PAUSE / 2))
            pause = min(2 * last, _LONGEST_PAUSE)
            self._pauses[node] = time.monotonic() + pause, pause
            return
        self._pauses.pop(node, None)
        self._nodes[name] = node
        self.logger.info(f'Client {name} is node {node}')


def _error_of(reply: Message) -> str:
    reason = ' '.join((reply.error.reason or '').split())[:500]
    return f'Flower says {reason or f"error {reply.error.code}"}'
