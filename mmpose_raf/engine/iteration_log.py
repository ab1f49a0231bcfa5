"""Lines of iterations, where several clients train in turn."""

from collections import Counter
from typing import Sequence, Tuple

from mmengine.runner import Runner


class IterationLog:
    """A runner's log processor that knows whose iterations these are.

    MMEngine's takes all iterations to be alike. With clients in turn its
    means would run over several of them, the last value of what only one
    client logs would be repeated while others train, and the time left would
    follow whoever trains now. Here a line names its client, its values are
    this client's alone, and the time left counts each client's batches at the
    client's own pace.

    Args:
        runner (Runner): The runner, whose log processor is built.
        names (list[str]): Names of the clients.
        costs (list[float]): How much work a batch of each is, compared with
            the others. It stands in for the pace of clients that have not
            trained yet.
    """

    def __init__(self, runner: Runner, names: Sequence[str],
                 costs: Sequence[float]):
        self._processor = runner.log_processor
        self._hub = runner.message_hub
        self._names = names
        self._costs = costs
        self._client = 0
        self._planned: Counter = Counter()
        self._done = [0] * len(names)
        self._seconds = [0.] * len(names)
        self._noted = 0

    def __getattr__(self, name: str):
        return getattr(self._processor, name)

    def plan(self, batches: Counter):
        """Set how many batches each client will train on from now on.

        Args:
            batches (Counter): By the client's index.
        """
        self._planned = batches

    def begin(self, client: int):
        """Begin the lines of a client, given by its index."""
        self._note_times()
        self._noted = 0
        self._client = client
        for key in list(self._hub.log_scalars):
            if key.startswith('train/'):
                del self._hub.log_scalars[key]

    def get_log_after_iter(self, runner: Runner, batch_idx: int,
                           mode: str) -> Tuple[dict, str]:
        """Values and line of an iteration; see MMEngine's LogProcessor."""
        if mode != 'train':
            return self._processor.get_log_after_iter(runner, batch_idx, mode)
        self._note_times()
        if any(self._done):
            self._hub.update_info('eta', self._seconds_left())
        values, line = self._processor.get_log_after_iter(
            runner, batch_idx, mode)
        return values, f'{self._names[self._client]}: {line}'

    def _note_times(self):
        """Note how long the iterations since the last note have taken."""
        times = self._hub.log_scalars.get('train/time')
        if times is None:  # no IterTimerHook
            return
        new = times.data[0][self._noted:]
        self._noted += len(new)
        self._done[self._client] += len(new)
        self._seconds[self._client] += float(new.sum())
        self._planned[self._client] -= len(new)

    def _seconds_left(self) -> float:
        work = sum(done * cost
                   for done, cost in zip(self._done, self._costs))
        pace = sum(self._seconds) / work
        return sum(
            batches * (self._seconds[client] / self._done[client]
                       if self._done[client] else self._costs[client] * pace)
            for client, batches in self._planned.items())
