"""What one hostile client of five costs, and which defence bears it.

Five honest clients (two of 64x48, three of 48x32, 60 rendered persons each)
train with FedAvg. From that model on, for each attack and defence, one of the
small ones is hostile for some rounds. FRL, whose network is another, has
honest rounds of its own. Printed are PCK of the global model over both sizes,
PCK with the backdoor's patch in every image, how often the patch moves the
nose, PCK on images that PGD has changed by up to 4 of 255, and the seconds of
computation.

    python -m benchmarks.attacks [--attacks none 'sign flip x10' ...]
        [--defences FedAvg ...] [--seed 0]
"""

import argparse
import copy
import tempfile
import time
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner import Runner

import mmpose_raf  # noqa: F401  registers everything
from mmpose.evaluation.metrics import PCKAccuracy  # isort: skip

from mmpose_raf.attacks import PGD
from mmpose_raf.attacks.pgd import images_of
from mmpose_raf.evaluation import BackdoorSuccess

ROOT = Path(__file__).parents[1]
BACKDOOR = dict(joint=0, shift=(0.25, 0.))
ATTACKS: Dict[str, List[dict]] = {
    'none': [],
    'swapped labels': [dict(type='SwapKeypoints')],
    'moved labels': [dict(type='MoveKeypoints', shift=(0.15, 0.15))],
    'backdoor': [dict(type='BackdoorPatch', **BACKDOOR)],
    'backdoor x5': [
        dict(type='BackdoorPatch', **BACKDOOR),
        dict(type='ScaleUpdate', scale=5.)
    ],
    'sign flip x10': [dict(type='SignFlip', scale=10.)],
    'scaled x10': [dict(type='ScaleUpdate', scale=10.)],
    'random x10': [dict(type='RandomUpdate', scale=10.)],
    'a little is enough': [dict(type='ALittleIsEnough', z=1.5)],
}
TRIMMED = dict(type='TrimmedMean')
#: What stands in the config's federation.
DEFENCES: Dict[str, dict] = {
    'FedAvg': dict(aggregator=dict(type='FedAvg')),
    'NormClipping': dict(
        aggregator=dict(type='NormClipping', max_norm='median')),
    'CoordinateMedian': dict(aggregator=dict(type='CoordinateMedian')),
    'TrimmedMean': dict(aggregator=TRIMMED),
    'clipped TrimmedMean': dict(
        aggregator=dict(
            type='NormClipping', max_norm='median', then=TRIMMED)),
    'Krum': dict(aggregator=dict(type='Krum')),
    'MultiKrum': dict(aggregator=dict(type='MultiKrum', keep=3)),
    'FLIP': dict(local_defence=dict(type='TriggerInversion')),
    'FAL': dict(local_defence=dict(type='AdversarialTraining')),
    'FRL': dict(
        aggregator=dict(type='RankingVote'),
        local_params=['*.original', '*.weight', '*.bias']),
}
HIGH, LOW = (48, 64), (32, 48)


def config_of(attack: str, defence: str, rounds: int, seed: int, folder: str,
              load_from: Optional[str]) -> Config:
    """The config of one training."""
    cfg = Config.fromfile(ROOT / 'configs/raf_demo.py')
    clients = [
        dict(name=f'{name}{i}', input_size=size)
        for name, size, count in (('high', HIGH, 2), ('low', LOW, 3))
        for i in range(count)
    ]
    clients[-1]['attack'] = ATTACKS[attack]
    cfg.federation = dict(
        clients=clients, keep_updates=False, **DEFENCES[defence])
    cfg.merge_from_dict({
        # The method with distillation, whatever is the demo's default.
        'model.ladder': [HIGH, LOW],
        'model.levels': 'all',
        'model.upward': False,
        'model.level_weights': 'area',
        'model.backbone.pos_embed': 'gpe',
        'model.backbone.lpe': True,
        'model.backbone.img_size': HIGH[::-1],
        'model.head.decoder.input_size': HIGH,
        'model.head.decoder.heatmap_size': (12, 16),
        'model.head.decoder.sigma': 1.,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_dataloader.dataset.num_samples': 300,
        'train_dataloader.dataset.image_size': (120, 160),
        'randomness.seed': seed,
        'train_cfg.max_epochs': rounds,
        'log_level': 'ERROR',
    })
    if defence == 'FRL':
        # Scores take longer steps than weights, and start from none.
        cfg.model.update(type='RankedPoseEstimator', keep=0.5)
        cfg.optim_wrapper.optimizer.lr = 1e-2
    cfg.load_from = load_from
    for split in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{split}_{part}'] = None
    cfg.custom_hooks = [dict(type='FederatedHook')]
    cfg.default_hooks.checkpoint = None
    cfg.model.distill = dict(
        type='MultiResolutionDistillLoss',
        alpha=0.3,
        teacher='highest',
        resize='bilinear')
    # In the flipped image the patch would be elsewhere.
    cfg.model.test_cfg = dict(flip_test=False)
    cfg.work_dir, cfg.experiment_name = folder, Path(folder).name
    cfg.visualizer.name = Path(folder).name
    return cfg


class Judge:
    """Measures models on people that nobody has trained on.

    Args:
        num_samples (int): How many, a multiple of 50.
    """

    def __init__(self, num_samples: int):
        dataset = Config.fromfile(
            ROOT / 'configs/raf_demo.py').test_dataloader.dataset
        dataset.update(
            num_samples=num_samples, image_size=(120, 160), test_mode=True)
        patch = dict(type='BackdoorPatch', share=1., **BACKDOOR)
        self.batches = {
            is_patched: [
                batch for size in (HIGH, LOW)
                for batch in _batches(dataset, size, [patch] * is_patched)
            ]
            for is_patched in (False, True)
        }
        self.pgd = PGD(eps=4., step_size=1., steps=8)
        self.metainfo = DATASETS.build(dataset).metainfo

    def measure(self, model: torch.nn.Module) -> Dict[str, float]:
        """PCK in percent, without and with the patch, its success, and PCK
        on images that PGD has changed."""
        clean = self._evaluate(model, self.batches[False])
        patched = self._evaluate(model, self.batches[True])
        torch.manual_seed(0)
        changed = self._evaluate(model, [
            dict(
                batch,
                inputs=self.pgd.attack(model, images_of(batch, model),
                                       batch['data_samples']))
            for batch in self.batches[False]
        ])
        return dict(
            pck=100 * clean['PCK'],
            patched=100 * patched['PCK'],
            success=100 * patched['backdoor_success'],
            changed=100 * changed['PCK'])

    @torch.no_grad()
    def _evaluate(self, model: torch.nn.Module,
                  batches: List[dict]) -> Dict[str, float]:
        metrics = [PCKAccuracy(thr=0.1), BackdoorSuccess(**BACKDOOR)]
        model.eval()
        for batch in batches:
            samples = [
                sample.to_dict()
                for sample in model.test_step(copy.deepcopy(batch))
            ]
            for metric in metrics:
                metric.process(batch, samples)
        results: Dict[str, float] = {}
        for metric in metrics:
            metric.dataset_meta = self.metainfo
            results.update(metric.compute_metrics(metric.results))
        return results


def _batches(dataset: dict, size: Tuple[int, int],
             attacks: List[dict]) -> List[dict]:
    """Batches of 50 samples of one size, poisoned or not."""
    built = DATASETS.build(
        dict(
            dataset,
            pipeline=[
                dict(type='LoadImage'),
                dict(type='GetBBoxCenterScale'),
                dict(type='TopdownAffine', input_size=size, use_udp=True),
                *attacks,
                dict(type='PackPoseInputs', pack_transformed=True)
            ]))
    return [
        pseudo_collate([built[i] for i in range(first, first + 50)])
        for first in range(0, len(built), 50)
    ]


def network_of(defence: str) -> str:
    """The defence whose honest rounds one goes on from."""
    return 'FRL' if defence == 'FRL' else 'FedAvg'


def train(attack: str, defence: str, rounds: int, seed: int,
          load_from: Optional[str] = None) -> torch.nn.Module:
    """Train, from scratch or from a checkpoint on; return the model."""
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner.from_cfg(
            config_of(attack, defence, rounds, seed, folder, load_from))
        return runner.train()


def main():
    """Train all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--honest-rounds', type=int, default=8)
    parser.add_argument('--rounds', type=int, default=4)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--persons', type=int, default=100,
                        help='on whom is measured, a multiple of 50')
    parser.add_argument(
        '--attacks', nargs='+', choices=ATTACKS, default=list(ATTACKS))
    parser.add_argument(
        '--defences', nargs='+', choices=DEFENCES, default=list(DEFENCES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    init_default_scope('mmpose')
    judge = Judge(arguments.persons)

    def report(attack: str, defence: str, model: torch.nn.Module):
        values = ' | '.join(f'{value:.1f}'
                            for value in judge.measure(model).values())
        seconds = time.process_time() - start
        print(f'| {attack} | {defence} | {values} | {seconds:.0f} |',
              flush=True)

    print('| attack | defence | PCK | with patch | success | under PGD | s |\n'
          '|---|---|---:|---:|---:|---:|---:|')
    with tempfile.TemporaryDirectory() as folder:
        before = {}
        for kind in sorted({network_of(name) for name in arguments.defences}):
            start = time.process_time()
            model = train('none', kind, arguments.honest_rounds,
                          arguments.seed)
            report('before', kind, model)
            before[kind] = f'{folder}/{kind}.pth'
            torch.save(dict(state_dict=model.state_dict()), before[kind])
        for attack in arguments.attacks:
            for defence in arguments.defences:
                start = time.process_time()
                report(
                    attack, defence,
                    train(attack, defence, arguments.rounds, arguments.seed,
                          before[network_of(defence)]))


if __name__ == '__main__':
    main()
