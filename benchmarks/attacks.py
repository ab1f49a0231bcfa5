"""What one hostile client of five costs, and which defence bears it.

Five honest clients (two of 64x48, three of 48x32, 60 rendered persons each)
train with FedAvg. From that model on, for each attack and defence, one of the
small ones is hostile for some rounds. FRL, whose network is another, has
honest rounds of its own. Printed are PCK of the global model over both sizes,
PCK with the backdoor's patch in every image, how often the patch moves the
nose, where no client is hostile PCK on 50 persons at each size after PGD has
changed their images by up to 4 of 255, and the seconds of computation. With
--first backdoor all clients put it into the model, and the rounds after that
show whether it goes.

    python -m benchmarks.attacks [--attacks none 'sign flip x10' ...]
        [--defences FedAvg ...] [--first backdoor] [--seed 0]
"""

import argparse
import tempfile
import time
from typing import Dict, List, Optional

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from benchmarks.small_people import (HIGH, LOW, evaluate, load_people,
                                     make_config)
from mmpose_raf.attacks import PGD
from mmpose_raf.attacks.pgd import images_of
from mmpose_raf.evaluation import BackdoorSuccess

PERSONS = 60
BACKDOOR = dict(joint=0, shift=(0.25, 0.))
# As large as a ViT needs that has seen few of them.
PATCH = dict(type='BackdoorPatch', size=0.3, **BACKDOOR)
ATTACKS: Dict[str, List[dict]] = {
    'none': [],
    'swapped labels': [dict(type='SwapKeypoints')],
    'moved labels': [dict(type='MoveKeypoints', shift=(0.15, 0.15))],
    'backdoor': [PATCH],
    'backdoor x5': [
        PATCH,
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


def config_of(attack: str, defence: str, rounds: int, seed: int, folder: str,
              load_from: Optional[str], num_hostile: int = 1) -> Config:
    """The config of one training."""
    clients = [
        dict(name=f'{name}{i}', input_size=size)
        for name, size, count in (('high', HIGH, 2), ('low', LOW, 3))
        for i in range(count)
    ]
    for client in clients[-num_hostile:]:
        client['attack'] = ATTACKS[attack]
    cfg = make_config(
        dict(
            clients=clients,
            partitioner=dict(type='RandomPartitioner'),
            keep_updates=False,
            **DEFENCES[defence]),
        len(clients) * PERSONS, rounds, seed, folder, load_from)
    if defence == 'FRL':
        # Scores take longer steps than weights.
        cfg.model.update(type='RankedPoseEstimator', keep=0.5)
        cfg.optim_wrapper.optimizer.lr = 1e-2
    return cfg


class Judge:
    """Measures models on people that nobody has trained on.

    Args:
        num_samples (int): How many, at each of both sizes.
    """

    def __init__(self, num_samples: int):
        patch = dict(PATCH, share=1.)
        people, patched = (
            load_people(num_samples, (HIGH, LOW), after=attacks).values()
            for attacks in ([], [patch]))
        self.clean, self.patched = sum(people, []), sum(patched, [])
        # PGD takes its time.
        self.few = [batches[0] for batches in people]
        self.pgd = PGD(eps=4., step_size=1., steps=8)

    def measure(self, model: torch.nn.Module) -> Dict[str, float]:
        """In percent PCK, without and with the patch, and its success."""
        patched = evaluate(model, self.patched, [BackdoorSuccess(**BACKDOOR)])
        return dict(
            pck=evaluate(model, self.clean)['PCK'],
            patched=patched['PCK'],
            success=patched['backdoor_success'])

    def measure_changed(self, model: torch.nn.Module) -> float:
        """PCK in percent on a batch of each size that PGD has changed."""
        torch.manual_seed(0)
        return evaluate(model, [
            dict(
                batch,
                inputs=self.pgd.attack(model, images_of(batch, model),
                                       batch['data_samples']))
            for batch in self.few
        ])['PCK']


def network_of(defence: str) -> str:
    """The defence whose honest rounds one goes on from."""
    return 'FRL' if defence == 'FRL' else 'FedAvg'


def train(attack: str, defence: str, rounds: int, seed: int,
          load_from: Optional[str] = None,
          num_hostile: int = 1) -> torch.nn.Module:
    """Train, from scratch or from a checkpoint on; return the model."""
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner.from_cfg(
            config_of(attack, defence, rounds, seed, folder, load_from,
                      num_hostile))
        return runner.train()


def main():
    """Train all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--first-rounds', type=int, default=16)
    parser.add_argument(
        '--first',
        choices=ATTACKS,
        default='none',
        help='what all clients do in the first rounds')
    parser.add_argument('--rounds', type=int, default=6)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--persons', type=int, default=200, help='on whom is measured')
    parser.add_argument(
        '--attacks', nargs='+', choices=ATTACKS, default=list(ATTACKS))
    parser.add_argument(
        '--defences', nargs='+', choices=DEFENCES, default=list(DEFENCES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    init_default_scope('mmpose')
    judge = Judge(arguments.persons)

    def report(attack: str, defence: str, model: torch.nn.Module):
        seconds = time.process_time() - start
        cells = [f'{value:.1f}' for value in judge.measure(model).values()]
        is_hostile = bool(ATTACKS.get(attack))
        cells.append(
            '' if is_hostile else f'{judge.measure_changed(model):.1f}')
        print(f'| {attack} | {defence} | {" | ".join(cells)} '
              f'| {seconds:.0f} |', flush=True)

    print('| attack | defence | PCK | with patch | success | under PGD | s |\n'
          '|---|---|---:|---:|---:|---:|---:|')
    with tempfile.TemporaryDirectory() as folder:
        before = {}
        for kind in sorted({network_of(name) for name in arguments.defences}):
            start = time.process_time()
            model = train(
                arguments.first,
                kind,
                arguments.first_rounds,
                arguments.seed,
                num_hostile=5)
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
