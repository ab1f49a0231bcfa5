"""Whether clients of different speed gain by fresh weights in mid-training.

Four clients of 80 rendered persons each: two slow ones of 64x48 and two fast
ones of 48x32. They train asynchronously, two passes at a time, from scratch;
with FreshModel a client takes in the global weights of the moment half-way,
if others have renewed them. Who trains when is the same with and without.
Measured are PCK of the global model at both sizes on 200 other persons, what
is sent to a client for each training, in models, and seconds of computation.

Each row goes to a file, and is measured once. Printed is the table of all that
the files hold.

    python -m benchmarks.fresh_models [--seeds 0 1 2] [--results FOLDER]
"""

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Dict

import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from benchmarks.cells import RESULTS, Cell, CellMeans, Cells
from benchmarks.small_people import (HIGH, LOW, evaluate, load_people,
                                     make_config)
from mmpose_raf.command_line import exit_code
from mmpose_raf.evaluation.drift_tables import markdown_table
from mmpose_raf.federation.state_math import state_bytes
from mmpose_raf.sizes import size_name

PERSONS = 80
ROUNDS = 16
LOCAL_EPOCHS = 2
CLIENTS = [
    dict(name=name, input_size=size, samples_per_second=speed)
    for name, size, speed in (('slow', HIGH, 30.), ('medium', HIGH, 60.),
                              ('fast', LOW, 140.), ('fastest', LOW, 200.))
]
ARMS: Dict[str, dict] = {
    '`StalenessAware` alone': dict(),
    'with `FreshModel`': dict(local_objective=dict(type='FreshModel')),
    'with `FreshModel(control_lr=0.01)`':
    dict(local_objective=dict(type='FreshModel', control_lr=0.01)),
}


def measure(name: str, seed: int, people: dict) -> Cell:
    """Train an arm; give its accuracy and costs.

    Args:
        name (str): The arm.
        seed (int): Seed of the training.
        people (dict): See :func:`load_people`.
    """
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner.from_cfg(
            make_config(
                dict(
                    clients=CLIENTS,
                    partitioner=dict(type='RandomPartitioner'),
                    aggregator=dict(type='StalenessAware', iota=0.1),
                    local_epochs=LOCAL_EPOCHS,
                    **ARMS[name]),
                len(CLIENTS) * PERSONS, ROUNDS, seed, folder))
        model = runner.train()
    seconds = time.process_time() - start
    traffic = runner.train_loop.report.traffic
    return {
        **{
            size_name(size): evaluate(model, batches)['PCK']
            for size, batches in people.items()
        },
        'downloads':
        traffic.down / traffic.visits / state_bytes(model.state_dict()),
        'seconds':
        seconds,
    }


def table(means: CellMeans) -> str:
    """All that was measured, in Markdown."""
    keys = [*map(size_name, (LOW, HIGH)), 'downloads']
    return markdown_table(
        ['clients', *keys],
        [[name, *(means.text(name, key) for key in keys)] for name in ARMS])


def main():
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--results', type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    init_default_scope('mmpose')
    people = load_people(200, (LOW, HIGH))
    for seed in arguments.seeds:
        cells = Cells(
            arguments.results, 'fresh_models', seed,
            dict(rounds=ROUNDS, local_epochs=LOCAL_EPOCHS, persons=PERSONS))
        for name in ARMS:
            cells.fill(name, partial(measure, name, seed, people))
    print(table(CellMeans(arguments.results, 'fresh_models')))


if __name__ == '__main__':
    sys.exit(exit_code(main))
