"""What clients gain that cannot hold the model, or have a thin link.

Five clients of 120 rendered persons each: two strong ones at 64x48, three weak
ones at 48x32. In the table of widths a weak client holds half of the channels;
printed are, for the weak client, the operations of a prediction at 48x32, the
memory of its weights, gradients and moments, and its bytes a round each way;
the server's seconds a round; and PCK at three sizes, of the global model and
of the model that a weak client holds. The table of adapters starts from a
model that the strong clients have trained on other people, twice as long, and
shows bytes a round and PCK. Seconds are those of computation.

    python -m benchmarks.weak_clients widths [--arms HeteroFL FedRolex ...]
    python -m benchmarks.weak_clients adapters [--arms LoRA ...]
"""

import argparse
import tempfile
import time
from typing import Callable, Dict, List, Optional
from unittest import mock

import torch
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn

from benchmarks.small_people import (HIGH, LOW, evaluate, load_people,
                                     make_config)
from mmpose_raf.engine.narrow_clients import build_narrow_models
from mmpose_raf.evaluation.model_cost import count_gflops
from mmpose_raf.federation import Server
from mmpose_raf.federation.state_math import state_bytes
from mmpose_raf.models.narrow_config import narrow_config
from mmpose_raf.sizes import size_name

SIZES = [LOW, HIGH, (72, 96)]
PERSONS = 120
# The server takes what is left.
SPARE = 30
STRONG = [dict(name=f'strong{i}', input_size=HIGH) for i in range(2)]
WEAK = [dict(name=f'weak{i}', input_size=LOW) for i in range(3)]
HALF = [dict(client, width=0.5) for client in WEAK]
WIDTHS: Dict[str, dict] = {
    'all hold all': dict(clients=STRONG + WEAK),
    'strong ones only': dict(clients=STRONG),
    'all narrow': dict(clients=STRONG + WEAK, narrow=0.5),
    'HeteroFL': dict(
        clients=STRONG + HALF, aggregator=dict(type='HeteroFL')),
    'FedRolex': dict(
        clients=STRONG + HALF,
        aggregator=dict(type='FedRolex'),
        optimizer_state='reset'),
    'FedConv': dict(
        clients=STRONG + HALF,
        aggregator=dict(type='FedConv', proxy_samples=24)),
}
LORA = dict(type='LoRA', rank=8)
ADAPTERS: Dict[str, Optional[dict]] = {
    'before': None,
    'whole model': dict(),
    'head alone': dict(local_params=['backbone.*']),
    'LoRA': dict(adapters=LORA),
    'FFA-LoRA': dict(adapters=dict(LORA, freeze_a=True)),
}


class Training:
    """A training and what it cost.

    Args:
        arm (dict): Settings of the federation, and ``narrow``, the width of
            the global model.
        rounds (int): Its rounds.
        seed (int): Its seed.
        load_from (str, optional): Where it starts. Defaults to None.
    """

    def __init__(self, arm: dict, rounds: int, seed: int,
                 load_from: Optional[str] = None):
        federation = dict(
            dict(clients=STRONG + WEAK),
            partitioner=dict(
                type='RandomPartitioner', samples_per_client=PERSONS),
            **arm)
        narrow = federation.pop('narrow', None)
        start = time.process_time()
        self.server_seconds = 0.
        with tempfile.TemporaryDirectory() as folder:
            self.cfg = make_config(
                federation,
                5 * PERSONS + SPARE,
                rounds,
                seed,
                folder,
                load_from,
                embed_dims=96,
                num_layers=4)
            if narrow is not None:
                self.cfg.model = narrow_config(self.cfg.model.to_dict(),
                                               narrow, 'narrow')
            self.runner = Runner.from_cfg(self.cfg)
            with mock.patch.multiple(
                    Server,
                    request=self._timed(Server.request),
                    close_round=self._timed(Server.close_round)):
                self.runner.train()
        self.seconds = time.process_time() - start
        self.loop = self.runner.train_loop

    def _timed(self, method: Callable) -> Callable:
        """A method of the server whose time is added up."""

        def call(*args, **kwargs):
            start = time.process_time()
            result = method(*args, **kwargs)
            self.server_seconds += time.process_time() - start
            return result

        return call

    @property
    def bytes_up(self) -> float:
        """float: Mean bytes of an update in the last round."""
        traffic = self.loop.report.traffic
        return traffic.up / traffic.visits

    def weak_model(self) -> nn.Module:
        """The model of a weak client, with its weights."""
        parts = build_narrow_models(self.cfg.model, self.loop.settings)
        if not parts:
            return self.runner.model
        part, server = parts['weak0'], self.loop.server
        part.load_state_dict(
            server.aggregator.part_of(server.state, 'weak0', server.version))
        return part


def print_row(name: str, *cells: str):
    """Print a row of a table in Markdown, at once."""
    print(f'| {name} | {" | ".join(cells)} |', flush=True)


class Table:
    """Prints rows that end in PCK at all sizes.

    Args:
        *columns (str): Headings of what stands before.
    """

    def __init__(self, *columns: str):
        self.people = load_people(200, SIZES)
        print_row('arm', *columns, *map(size_name, SIZES))
        print_row('---', *['---:'] * (len(columns) + len(SIZES)))

    def add(self, name: str, model: nn.Module, *cells: str):
        """Measure a model and print its row."""
        print_row(
            name, *cells, *(f'{evaluate(model, self.people[size])["PCK"]:.1f}'
                            for size in SIZES))


def compare_widths(arms: List[str], rounds: int, seed: int):
    """Print the table of widths."""
    table = Table('weak: GFLOPs', 'MB', 'kB a round', 'server s', 's')
    for name in arms:
        training = Training(WIDTHS[name], rounds, seed)
        weak = training.weak_model()
        size = state_bytes(weak.state_dict())
        table.add(
            name,
            training.runner.model,
            f'{count_gflops(weak.eval(), LOW):.4f}',
            # Weights, gradients and two moments.
            f'{4 * size / 1e6:.2f}',
            f'{size / 1e3:.0f}',
            f'{training.server_seconds / rounds:.2f}',
            f'{training.seconds:.0f}')
        if weak is not training.runner.model:
            table.add(f'{name}, weak part', weak, *[''] * 5)


def compare_adapters(arms: List[str], rounds: int, seed: int):
    """Print the table of adapters."""
    table = Table('kB up a round', 's')
    with tempfile.TemporaryDirectory() as folder:
        before = Training(dict(clients=STRONG), 2 * rounds, seed + 100)
        path = f'{folder}/before.pth'
        torch.save(dict(state_dict=before.runner.model.state_dict()), path)
        for name in arms:
            arm = ADAPTERS[name]
            training = before if arm is None else Training(
                arm, rounds, seed, path)
            table.add(name, training.runner.model,
                      f'{training.bytes_up / 1e3:.1f}',
                      f'{training.seconds:.0f}')


def main():
    """Train all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('table', choices=('widths', 'adapters'))
    parser.add_argument('--arms', nargs='+')
    parser.add_argument(
        '--rounds', type=int, help='20 for widths, 6 for adapters')
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    init_default_scope('mmpose')
    arms, rounds, compare = dict(
        widths=(WIDTHS, 20, compare_widths),
        adapters=(ADAPTERS, 6, compare_adapters))[arguments.table]
    compare(arguments.arms or list(arms), arguments.rounds or rounds,
            arguments.seed)


if __name__ == '__main__':
    main()
