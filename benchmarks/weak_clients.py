"""What clients gain that cannot hold the model, or have a thin link.

Five clients of 60 rendered persons each: two strong ones at 64x48, three weak
ones at 48x32. In the table of widths a weak client holds half of the channels;
printed are, for the weak client, the operations of a prediction at 48x32, the
memory of its weights, gradients and moments, and its bytes a round; the
server's seconds a round; and PCK at three sizes, of the global model and of
the part that a weak client holds. The table of adapters starts from a model
that the strong clients have trained, and shows bytes a round and PCK.

    python -m benchmarks.weak_clients widths [--arms HeteroFL FedRolex ...]
    python -m benchmarks.weak_clients adapters [--arms LoRA ...]
"""

import argparse
import copy
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, Optional
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn

import mmpose_raf  # noqa: F401  registers everything
from mmpose_raf.engine.narrow_clients import build_narrow_models
from mmpose_raf.evaluation.model_cost import count_gflops
from mmpose_raf.federation import Server
from mmpose_raf.federation.state_math import State, state_bytes
from mmpose_raf.models.narrow_config import narrow_config
from mmpose_raf.sizes import size_name

ROOT = Path(__file__).parents[1]
HIGH, LOW = (48, 64), (32, 48)
SIZES = [LOW, HIGH, (72, 96)]
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


def config_of(arm: dict, rounds: int, seed: int, folder: str,
              load_from: Optional[str] = None) -> Config:
    """The config of one training."""
    cfg = Config.fromfile(ROOT / 'configs/raf_demo.py')
    options = dict(arm)
    narrow = options.pop('narrow', None)
    options.setdefault('clients', STRONG + WEAK)
    cfg.federation = dict(
        options,
        partitioner=dict(type='RandomPartitioner', samples_per_client=60))
    cfg.merge_from_dict({
        'model.ladder': [HIGH, LOW],
        'model.backbone.img_size': HIGH[::-1],
        'model.head.decoder.input_size': HIGH,
        'model.head.decoder.heatmap_size': (12, 16),
        'model.head.decoder.sigma': 1.,
        'model.test_cfg.flip_test': False,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        # Some are left for the server.
        'train_dataloader.dataset.num_samples': 330,
        'train_dataloader.dataset.image_size': (120, 160),
        'test_dataloader.num_workers': 0,
        'test_dataloader.persistent_workers': False,
        'test_dataloader.dataset.num_samples': 200,
        'test_dataloader.dataset.image_size': (120, 160),
        'test_cfg.input_sizes': SIZES,
        'randomness.seed': seed,
        'train_cfg.max_epochs': rounds,
        'log_level': 'ERROR',
    })
    if narrow is not None:
        cfg.model = narrow_config(cfg.model.to_dict(), narrow, 'narrow')
    for part in ('cfg', 'dataloader', 'evaluator'):
        cfg[f'val_{part}'] = None
    cfg.load_from = load_from
    cfg.custom_hooks = [dict(type='FederatedHook')]
    cfg.default_hooks.checkpoint = None
    cfg.work_dir, cfg.experiment_name = folder, Path(folder).name
    cfg.visualizer.name = Path(folder).name
    return cfg


def measure_pck(cfg: Config, model: dict, state: State) -> List[float]:
    """PCK in percent of weights at each of the sizes.

    Args:
        cfg (Config): That of the training.
        model (dict): Config of the model that the weights are of.
        state (dict[str, Tensor]): Its weights and buffers.
    """
    cfg = copy.deepcopy(cfg)
    cfg.model = model
    for key in ('train_cfg', 'train_dataloader', 'optim_wrapper',
                'param_scheduler', 'federation', 'load_from'):
        cfg.pop(key, None)
    cfg.custom_hooks = []
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir, cfg.experiment_name = folder, Path(folder).name
        cfg.visualizer.name = Path(folder).name
        runner = Runner.from_cfg(cfg)
        runner.model.load_state_dict(state)
        metrics = runner.test()
    return [100 * metrics[f'{size_name(size)}/PCK'] for size in SIZES]


class Training:
    """A training and what it cost.

    Args:
        arm (dict): Options of the federation.
        rounds (int): Its rounds.
        seed (int): Its seed.
        load_from (str, optional): Where it starts. Defaults to None.
    """

    def __init__(self, arm: dict, rounds: int, seed: int,
                 load_from: Optional[str] = None):
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            self.cfg = config_of(arm, rounds, seed, folder, load_from)
            self.runner = Runner.from_cfg(self.cfg)
            self.server_seconds = 0.
            with mock.patch.multiple(
                    Server,
                    request=self._timed(Server.request),
                    close_round=self._timed(Server.close_round)):
                self.runner.train()
        self.seconds = time.perf_counter() - start
        self.loop = self.runner.train_loop

    def _timed(self, method: Callable) -> Callable:
        """A method of the server whose time is added up."""

        def call(*args, **kwargs):
            start = time.perf_counter()
            result = method(*args, **kwargs)
            self.server_seconds += time.perf_counter() - start
            return result

        return call

    @property
    def bytes_up(self) -> float:
        """float: Mean bytes of an update in the last round."""
        traffic = self.loop.report.traffic
        return traffic.up / traffic.visits

    def pck(self) -> List[float]:
        """PCK of the global model."""
        return measure_pck(self.cfg, self.cfg.model,
                           self.runner.model.state_dict())

    def weak_model(self) -> nn.Module:
        """The model of a weak client, with its weights."""
        parts = build_narrow_models(self.cfg.model, self.loop.settings)
        if not parts:
            return self.runner.model
        part, server = parts['weak0'], self.loop.server
        part.load_state_dict(
            server.aggregator.part_of(server.state, 'weak0', server.version))
        return part

    def weak_pck(self) -> List[float]:
        """PCK of the weak client's model."""
        config, width = self.cfg.model.to_dict(), WIDTHS['HeteroFL'][
            'clients'][-1]['width']
        model = self.weak_model()
        if model is not self.runner.model:
            config = narrow_config(config, width, 'width')
        return measure_pck(self.cfg, config, model.state_dict())


def print_row(name: str, *cells: str):
    """Print a row of a table in Markdown, at once."""
    print(f'| {name} | {" | ".join(cells)} |', flush=True)


def as_text(values: List[float]) -> str:
    """Percentages in a cell."""
    return ' / '.join(f'{value:.1f}' for value in values)


def compare_widths(arms: List[str], rounds: int, seed: int):
    """Print the table of widths."""
    sizes = ' / '.join(map(size_name, SIZES))
    print_row('arm', 'weak: GFLOPs', 'MB', 'kB a round', 'server s', 's',
              f'PCK, global ({sizes})', 'PCK, weak part')
    print_row('---', *['---:'] * 7)
    for name in arms:
        training = Training(WIDTHS[name], rounds, seed)
        weak = training.weak_model()
        size = state_bytes(weak.state_dict())
        print_row(
            name, f'{count_gflops(weak.eval(), LOW):.4f}',
            # Weights, gradients and two moments.
            f'{4 * size / 1e6:.2f}', f'{size / 1e3:.0f}',
            f'{training.server_seconds / rounds:.2f}',
            f'{training.seconds:.0f}', as_text(training.pck()),
            as_text(training.weak_pck()))


def compare_adapters(arms: List[str], rounds: int, seed: int):
    """Print the table of adapters."""
    sizes = ' / '.join(map(size_name, SIZES))
    print_row('arm', 'kB up a round', 's', f'PCK ({sizes})')
    print_row('---', *['---:'] * 3)
    with tempfile.TemporaryDirectory() as folder:
        before = Training(dict(clients=STRONG), rounds, seed + 100)
        path = f'{folder}/before.pth'
        torch.save(dict(state_dict=before.runner.model.state_dict()), path)
        for name in arms:
            arm = ADAPTERS[name]
            training = before if arm is None else Training(
                arm, rounds, seed, path)
            print_row(name, f'{training.bytes_up / 1e3:.1f}',
                      f'{training.seconds:.0f}', as_text(training.pck()))


def main():
    """Train all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('table', choices=('widths', 'adapters'))
    parser.add_argument('--arms', nargs='+')
    parser.add_argument('--rounds', type=int, default=16)
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    init_default_scope('mmpose')
    arms, compare = dict(
        widths=(WIDTHS, compare_widths),
        adapters=(ADAPTERS, compare_adapters))[arguments.table]
    compare(arguments.arms or list(arms), arguments.rounds, arguments.seed)


if __name__ == '__main__':
    main()
