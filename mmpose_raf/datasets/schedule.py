"""Who trains in which round, and when on a simulated clock."""

import heapq
from abc import ABCMeta, abstractmethod
from collections import Counter
from typing import List, NamedTuple, Optional, Sequence, Tuple

from .participation import Participation
from .seeding import Stream, draw_from


class Visit(NamedTuple):
    """A local training of a client.

    Args:
        client (int): Index of the client.
        number (int): How many trainings it has begun before this one.
        arrival (float): When its update arrives, in simulated seconds since
            the start of the run.
        successors (tuple[int]): Clients that begin once it has arrived.
            Defaults to none.
        refreshed (tuple[int]): Clients that ask for the weights of the moment
            before it arrives, and after the arrival before it. Defaults to
            none.
    """

    client: int
    number: int
    arrival: float
    successors: Tuple[int, ...] = ()
    refreshed: Tuple[int, ...] = ()


class Round(NamedTuple):
    """The local trainings of a round.

    Args:
        beginners (tuple[int]): Clients that begin with the round.
        visits (list[Visit]): What arrives in it, in this order.
        end (float): Simulated seconds since the start of the run.
    """

    beginners: Tuple[int, ...]
    visits: List[Visit]
    end: float


class Schedule(metaclass=ABCMeta):
    """What the two kinds of rounds have in common.

    Everything follows from the arguments; rounds are counted from 0.

    Args:
        participation (Participation): Who takes part.
        durations (list[float], optional): Simulated seconds that each
            client's local training takes. Defaults to None: they are not
            counted.
        seed (int): Seed of the draws. Defaults to 0.
    """

    def __init__(self,
                 participation: Participation,
                 durations: Optional[Sequence[float]] = None,
                 seed: int = 0):
        self.participation = participation
        num_clients = len(participation.presence)
        self.has_clock = durations is not None
        self.durations = durations or [0.] * num_clients
        self.seed = seed
        self._rounds: List[Round] = []
        self._num_begun: Counter = Counter()

    def of_round(self, round_: int) -> Round:
        """The trainings of a round."""
        while len(self._rounds) <= round_:
            number = len(self._rounds)
            start = self._rounds[-1].end if number else 0.
            present = self.participation.present(number, self.seed)
            self._rounds.append(self._simulate(number, present, start))
        return self._rounds[round_]

    @abstractmethod
    def _simulate(self, number: int, present: List[int],
                  start: float) -> Round:
        """Find out what happens in the next round."""

    def _begin(self, client: int) -> int:
        """Number of the training that a client begins now."""
        self._num_begun[client] += 1
        return self._num_begun[client] - 1

    def _draw(self, among: Sequence[int], count: int,
              stream: Sequence[int]) -> List[int]:
        """Draw clients without repetition, fewer if there are fewer."""
        count = min(count, len(among))
        if not count:  # of nothing numpy draws not even nothing
            return []
        rng = draw_from(self.seed, Stream.PARTICIPATION, *stream)
        return rng.choice(among, count, replace=False).tolist()


class SynchronousSchedule(Schedule):
    """The server waits for the slowest participant.

    All start from the same weights; they come in ascending order. A round in
    which nobody is there passes at once. See :class:`Schedule`.
    """

    def _simulate(self, number: int, present: List[int],
                  start: float) -> Round:
        drawn = sorted(
            self._draw(present, self.participation.num_participants,
                       [number]))
        visits = [
            Visit(client, self._begin(client), start + self.durations[client])
            for client in drawn
        ]
        end = max((visit.arrival for visit in visits), default=start)
        return Round(tuple(drawn), visits, end)


class AsynchronousSchedule(Schedule):
    """Nobody waits: each update renews the weights as it arrives.

    As many clients as :attr:`Participation.num_participants` train at a
    time. When one has finished, one of those that are idle and there, drawn
    at random, starts from the weights of that moment. A round is as many
    arrivals as clients train at a time. Whether a client is there decides
    when it can start; what it has begun it ends. Visits come in the order of
    arrival. See :class:`Schedule`.

    Args:
        *args: See :class:`Schedule`.
        refresh_at (float, optional): The share of its training, in [0, 1),
            after which a client asks for the weights of that moment. Defaults
            to None: it does not.
        **kwargs: See :class:`Schedule`.
    """

    def __init__(self, *args, refresh_at: Optional[float] = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.refresh_at = refresh_at
        self._running: List[tuple] = []  # (arrival, client, number)
        self._asking: List[tuple] = []  # (when, client)

    def _simulate(self, number: int, present: List[int],
                  start: float) -> Round:
        now, visits = start, []
        beginners = self._start(present, now, [number, 0])
        while self._running and len(
                visits) < self.participation.num_participants:
            now, client, training = heapq.heappop(self._running)
            refreshed = []
            while self._asking and self._asking[0][0] <= now:
                refreshed.append(heapq.heappop(self._asking)[1])
            successors = self._start(present, now, [number, len(visits) + 1])
            visits.append(
                Visit(client, training, now, successors, tuple(refreshed)))
        return Round(beginners, visits, now)

    def _start(self, present: Sequence[int], now: float,
               stream: Sequence[int]) -> Tuple[int, ...]:
        """Let idle clients begin until enough are training."""
        busy = {client for _, client, _ in self._running}
        idle = [client for client in present if client not in busy]
        missing = self.participation.num_participants - len(self._running)
        drawn = self._draw(idle, missing, stream)
        for client in drawn:
            duration = self.durations[client]
            heapq.heappush(self._running,
                           (now + duration, client, self._begin(client)))
            if self.refresh_at is not None:
                heapq.heappush(self._asking,
                               (now + self.refresh_at * duration, client))
        return tuple(drawn)
