"""What a check of annotations has found."""

from typing import Callable, List, NamedTuple, Sequence, Union

import numpy as np

Hits = Union[np.ndarray, Sequence[int]]


class Finding(NamedTuple):
    """Something about some instances or images of a file.

    Args:
        what (str): What is the matter with them.
        count (int): How many there are.
        example (str): Which the first one is.
    """

    what: str
    count: int
    example: str

    def __str__(self) -> str:
        return f'{self.what}: {self.count}, e.g. {self.example}'


class Findings:
    """Collects what is found.

    Attributes:
        dropped (list[Finding]): What MMPose leaves out without a word.
        refused (list[Finding]): What would change training, or end it.
    """

    def __init__(self) -> None:
        self.dropped: List[Finding] = []
        self.refused: List[Finding] = []

    def drop(self, what: str, hits: Hits, name: Callable[[int], str]):
        """Note what MMPose leaves out.

        Args:
            what (str): What is the matter.
            hits (np.ndarray | list[int]): Indices; none is no finding.
            name (callable): Names an index for the user.
        """
        self._add(self.dropped, what, hits, name)

    def refuse(self, what: str, hits: Hits, name: Callable[[int], str]):
        """Note what must not be trained on; see :meth:`drop`."""
        self._add(self.refused, what, hits, name)

    @staticmethod
    def _add(findings: List[Finding], what: str, hits: Hits,
             name: Callable[[int], str]):
        if len(hits):
            findings.append(Finding(what, len(hits), name(int(hits[0]))))
