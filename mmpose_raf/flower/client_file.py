"""What a client keeps, in a file of its own."""

import io
import logging
from pathlib import Path
from typing import Optional, Union

import torch
from mmengine.logging import print_log
from mmengine.runner.checkpoint import CheckpointLoader

from mmpose_raf.atomic_file import write_atomically
from mmpose_raf.checkpoints import encode
from mmpose_raf.federation import ClientState
from mmpose_raf.federation.state_math import State


class ClientFile:
    """Moments, schedules, personal layers and memory of one client and run.

    It holds what the client kept before and after its last training, because
    only the server knows whether the update has arrived: it may have been
    refused, or lost on the way, or the server may have been killed and ask
    for the same training again. Tensors and plain values alone are written,
    and the file is replaced as a whole.

    Args:
        folder (str | Path): The client's folder, which is there.
        run (str): Name of the run.
    """

    def __init__(self, folder: Union[str, Path], run: str):
        self.path = Path(folder) / f'{run}.pth'

    def load(self, number: int, taken: int) -> Optional[ClientState]:
        """What the client trains from.

        Args:
            number (int): Of the training that the server asks for.
            taken (int): Of its last training whose update was taken; -1 if
                there is none.

        Returns:
            ClientState | None: None if there is nothing: it starts.

        Raises:
            ConfigError: If the file is damaged.
        """
        kept = self._read()
        if kept is None:
            if taken >= 0:
                self._warn('is gone: moments and personal layers start anew')
            return None
        if number > kept['number']:
            return self._settled(kept, taken)
        # The server was killed, and asks again.
        if number < kept['number']:
            self._warn(f'is {kept["number"] - number} trainings ahead of the '
                       'server: the client goes on from the oldest it has')
        return ClientState.from_state_dict(kept['before'])

    def personal(self, taken: int) -> State:
        """The client's own layers; empty if it has none.

        Args:
            taken (int): See :meth:`load`.
        """
        kept = self._read()
        return {} if kept is None else self._settled(kept, taken).personal

    def save(self, number: int, before: ClientState, after: ClientState):
        """Write what the client kept before and after a training.

        Args:
            number (int): Of the training.
            before (ClientState): What it trained from.
            after (ClientState): What it keeps if the update is of use.
        """
        content = io.BytesIO()
        torch.save(
            encode(
                dict(
                    number=number,
                    before=before.state_dict(),
                    after=after.state_dict())), content)
        write_atomically(self.path, content.getvalue())

    def _read(self) -> Optional[dict]:
        if not self.path.is_file():
            return None
        return CheckpointLoader.load_checkpoint(
            str(self.path), map_location='cpu')

    @staticmethod
    def _settled(kept: dict, taken: int) -> ClientState:
        """What is kept, now that it is known what became of the update."""
        before, after = (
            ClientState.from_state_dict(kept[name])
            for name in ('before', 'after'))
        return after if taken == kept['number'] else before.discard(after)

    def _warn(self, what: str):
        print_log(
            f'{self.path} {what}', logger='current', level=logging.WARNING)
