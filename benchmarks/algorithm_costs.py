"""What each federated algorithm keeps and sends, in measured bytes.

Trains two rounds of every config of configs/algorithms on a few rendered
people, and counts the tensors of the checkpoint and what was sent in the
second round, in kB. The moments of the clients' optimizers and the samples
that the server holds are left out: they do not come from the algorithm.

    python benchmarks/algorithm_costs.py
"""

import tempfile
from pathlib import Path
from typing import Any, List

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.utils import apply_to

import mmpose_raf  # noqa: F401  registers everything
from mmpose_raf.tables import render_table

CONFIGS = Path(__file__).parents[1] / 'configs/algorithms'
SMALL = {
    'train_cfg.max_epochs': 2,
    'train_cfg.val_interval': 9,
    'train_dataloader.batch_size': 4,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'train_dataloader.dataset.num_samples': 40,
    'log_level': 'ERROR',
}
PROXY = 'federation.aggregator.proxy_samples'


def tensor_bytes(tree: Any) -> int:
    """Size of all tensors in nested containers."""
    tensors: List[torch.Tensor] = []
    apply_to(tree, lambda value: isinstance(value, torch.Tensor),
             tensors.append)
    return sum(value.numel() * value.element_size() for value in tensors)


def measure(path: Path, folder: str) -> List[str]:
    """Run two rounds of a config; return its row of the table."""
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(SMALL)
    if 'proxy_samples' in cfg.federation.get('aggregator', {}):
        cfg.merge_from_dict({PROXY: 6})
    cfg.work_dir, cfg.experiment_name = folder, path.stem
    cfg.visualizer.name = path.stem  # MMEngine finds it by this
    runner = Runner.from_cfg(cfg)
    runner.train()
    traffic = runner.train_loop.report.traffic
    saved = torch.load(f'{folder}/epoch_2.pth', weights_only=True)
    model = tensor_bytes(saved['state_dict'])
    federation = saved['federation']
    server = federation['server']
    clients = federation['clients'].values()
    kept = tensor_bytes([[state['personal'], state['memory']]
                         for state in clients])
    held = tensor_bytes([
        server['aggregator'], server['versions'], server['local_objective']
    ])
    return [
        path.stem,
        *(f'{value / 1e3:.1f}' for value in
          (model, kept / len(clients), held, traffic.down / traffic.visits,
           traffic.up / traffic.visits))
    ]


def main():
    """Measure all and print the table."""
    rows = []
    for path in sorted(CONFIGS.glob('*.py')):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(path, folder))
    print(
        render_table([
            'config', 'model', 'kept by a client', 'held by the server',
            'sent to a client', 'sent by a client'
        ], rows))


if __name__ == '__main__':
    main()
