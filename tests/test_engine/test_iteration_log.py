"""The time left, where clients are not equally fast."""

from collections import Counter
from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub

from mmpose_raf.engine.iteration_log import IterationLog


class Processor:
    """Notes the time left, as MMEngine's log processor prints it."""

    by_epoch = True

    def get_log_after_iter(self, runner, batch_idx, mode):
        return {}, f'{runner.message_hub.get_info("eta")}'


@pytest.fixture
def runner():
    hub = MessageHub('iteration_log')
    hub.log_scalars.clear()
    return SimpleNamespace(log_processor=Processor(), message_hub=hub)


def left_after(log, runner, seconds):
    """Time left after an iteration that took some time."""
    runner.message_hub.update_scalar('train/time', seconds)
    _, line = log.get_log_after_iter(runner, 0, 'train')
    return float(line.split(': ')[1])


def test_time_left_counts_each_clients_batches_at_its_pace(runner):
    # Two rounds of two batches each; a batch takes 1 s and 4 s.
    log = IterationLog(runner, ['low', 'high'], costs=[1, 2])
    log.plan(Counter({0: 4, 1: 4}))
    log.begin(0)
    # High has not trained yet: it is taken to need twice as long.
    assert left_after(log, runner, 1) == 3 * 1 + 4 * 2
    assert left_after(log, runner, 1) == 2 * 1 + 4 * 2
    log.begin(1)
    assert left_after(log, runner, 4) == 2 * 1 + 3 * 4
    assert left_after(log, runner, 4) == 2 * 1 + 2 * 4
    # From now on it falls by what has passed, whoever trains.
    log.begin(0)
    assert left_after(log, runner, 1) == 1 * 1 + 2 * 4
    assert left_after(log, runner, 1) == 2 * 4
    log.begin(1)
    assert left_after(log, runner, 4) == 1 * 4
    assert left_after(log, runner, 4) == 0


def test_iterations_between_lines_count(runner):
    log = IterationLog(runner, ['low', 'high'], costs=[1, 1])
    log.plan(Counter({0: 3, 1: 3}))
    log.begin(0)
    for _ in range(3):
        runner.message_hub.update_scalar('train/time', 2)
    log.begin(1)
    assert left_after(log, runner, 5) == 2 * 5


def test_other_lines_are_the_processors(runner):
    runner.message_hub.update_info('eta', 7)
    log = IterationLog(runner, ['low'], costs=[1])
    assert log.get_log_after_iter(runner, 0, 'val') == ({}, '7')
    assert log.by_epoch
