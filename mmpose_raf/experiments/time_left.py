"""How long a set of experiments will still take."""

import time
from typing import Callable, Dict, Optional


class TimeLeft:
    """Estimates it from the rounds done since the start.

    All rounds are taken to be alike, and tests to take no time.

    Args:
        rounds (dict[str, int]): Rounds to do, by experiment.
        clock (Callable): Seconds, as ``time.monotonic`` gives.
    """

    def __init__(self,
                 rounds: Dict[str, int],
                 clock: Callable[[], float] = time.monotonic):
        self._to_do = dict(rounds)
        self._done = 0
        self._clock = clock
        self._start = clock()

    def note(self, name: str, to_do: int, is_new: bool):
        """Take note of how far an experiment is.

        Args:
            name (str): The experiment.
            to_do (int): Rounds that are left of it.
            is_new (bool): Whether rounds were done, rather than found done.
        """
        if is_new:
            self._done += self._to_do[name] - to_do
        self._to_do[name] = to_do

    def describe(self) -> str:
        """A few words, none before the first round."""
        seconds = self.seconds
        if seconds is None:
            return ''
        if seconds < 60:
            return 'less than a minute left'
        if seconds < 90 * 60:
            return f'about {seconds / 60:.0f} min left'
        return f'about {seconds / 3600:.0f} h left'

    @property
    def seconds(self) -> Optional[float]:
        """Seconds to the end, None before the first round."""
        if not self._done:
            return None
        pace = (self._clock() - self._start) / self._done
        return pace * sum(self._to_do.values())
