"""What one hostile client of five costs, and which defence bears it.

Five clients (two of 64x48, three of 48x32, 60 rendered persons each) train
from scratch. From that model on, for each attack and defence, one of the small
ones is hostile for some rounds. FRL, whose network is another, has first
rounds of its own. Measured are PCK of the global model over both sizes, PCK
with the backdoor's patch in every image, how often the patch moves the nose,
where no client is hostile PCK on 50 persons at each size after PGD has changed
their images by up to 4 of 255, and the seconds of computation. There are three
studies:

- hostile: 40 honest rounds, then six with each attack and defence.
- renewed: 40 honest rounds, then 24 in which a client puts the backdoor into
  the model again and again.
- planted: 24 rounds in which all clients put it there, then six honest ones.

Each cell goes to a file, and is measured once. Printed is the table of all
that the files hold.

    python -m benchmarks.attacks hostile [--seeds 0 1 2] [--attacks none ...]
        [--defences FedAvg ...] [--results FOLDER]
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from benchmarks.cells import RESULTS, Cell, CellMeans, Cells
from benchmarks.small_people import (HIGH, LOW, evaluate, load_people,
                                     make_config)
from mmpose_raf.attacks import PGD
from mmpose_raf.attacks.pgd import images_of
from mmpose_raf.command_line import exit_code
from mmpose_raf.evaluation import BackdoorSuccess
from mmpose_raf.evaluation.drift_tables import markdown_table

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
#: That of a client which does little else, round after round.
RENEWED: Dict[str, List[dict]] = {
    'backdoor in all x5': [
        dict(PATCH, share=1.),
        dict(type='ScaleUpdate', scale=5.)
    ],
}
ALL_ATTACKS = {**ATTACKS, **RENEWED}
#: Stands for the model of the first rounds.
BEFORE = 'before'
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


@dataclass(frozen=True)
class Study:
    """Which trainings are compared.

    Args:
        first (str): What all clients do in the first rounds.
        first_rounds (int): Their number.
        rounds (int): Rounds after them, with one hostile client.
        attacks (tuple[str]): What it does.
        defences (tuple[str]): Against it.
    """
    first: str
    first_rounds: int
    rounds: int
    attacks: Sequence[str] = tuple(ATTACKS)
    defences: Sequence[str] = tuple(DEFENCES)

    @property
    def settings(self) -> dict:
        """dict: What all of its cells have in common."""
        return dict(
            first=self.first,
            first_rounds=self.first_rounds,
            rounds=self.rounds,
            persons=PERSONS)


STUDIES = {
    'hostile': Study('none', 40, 6),
    'renewed': Study('none', 40, 24, ('none', *RENEWED)),
    'planted': Study('backdoor', 24, 6, ('none', ), ('FedAvg', 'FLIP')),
}


def config_of(attack: str, defence: str, rounds: int, seed: int, folder: str,
              load_from: Optional[str] = None,
              num_hostile: int = 1) -> Config:
    """The config of one training."""
    clients = [
        dict(name=f'{name}{i}', input_size=size)
        for name, size, count in (('high', HIGH, 2), ('low', LOW, 3))
        for i in range(count)
    ]
    for client in clients[-num_hostile:]:
        client['attack'] = ALL_ATTACKS[attack]
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
    """Measures models on people that nobody has trained on."""

    def __init__(self):
        patch = dict(PATCH, share=1.)
        people, patched = (
            load_people(200, (HIGH, LOW), after=attacks).values()
            for attacks in ([], [patch]))
        self.clean, self.patched = sum(people, []), sum(patched, [])
        # PGD takes its time.
        self.few = [batches[0] for batches in people]
        self.pgd = PGD(eps=4., step_size=1., steps=8)

    def measure(self, model: torch.nn.Module) -> Cell:
        """PCK in percent, and how often the nose is where the patch moves it,
        though there is no patch."""
        values = evaluate(model, self.clean, [BackdoorSuccess(**BACKDOOR)])
        return dict(pck=values['PCK'], chance=values['backdoor_success'])

    def measure_patched(self, model: torch.nn.Module) -> Cell:
        """The same with the patch in every image."""
        values = evaluate(model, self.patched, [BackdoorSuccess(**BACKDOOR)])
        return dict(patched=values['PCK'], success=values['backdoor_success'])

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
    """The defence whose first rounds one goes on from."""
    return 'FRL' if defence == 'FRL' else 'FedAvg'


class Bench:
    """Measures cells of a study with one seed.

    Args:
        study (Study): The study.
        seed (int): Seed of the trainings.
        judge (Judge): Measures.
        folder (str): Where the models of the first rounds are kept.
    """

    def __init__(self, study: Study, seed: int, judge: Judge, folder: str):
        self.study, self.seed, self.judge = study, seed, judge
        self.folder = folder

    def _first(self, network: str) -> str:
        """Checkpoint of the first rounds, which are trained when needed."""
        path = Path(self.folder) / f'{network}-{self.seed}.pth'
        if not path.exists():
            model = self._train(
                self.study.first,
                network,
                self.study.first_rounds,
                num_hostile=5)
            torch.save(dict(state_dict=model.state_dict()), path)
        return str(path)

    def _train(self, attack: str, defence: str, rounds: int,
               **options) -> torch.nn.Module:
        """Train; the options are those of :func:`config_of`."""
        with tempfile.TemporaryDirectory() as folder:
            return Runner.from_cfg(
                config_of(attack, defence, rounds, self.seed, folder,
                          **options)).train()

    def _load(self, network: str, path: str) -> torch.nn.Module:
        """A model that has been trained."""
        with tempfile.TemporaryDirectory() as folder:
            runner = Runner.from_cfg(
                config_of('none', network, 1, self.seed, folder, path))
            runner.load_or_resume()
            return runner.model

    def measure(self, attack: str, defence: str) -> Cell:
        """Values of a cell; of the attack BEFORE those of the first model."""
        path = self._first(network_of(defence))
        cost = {}
        if attack == BEFORE:
            model = self._load(defence, path)
        else:
            start = time.process_time()
            model = self._train(
                attack, defence, self.study.rounds, load_from=path)
            cost['seconds'] = time.process_time() - start
        cell = self.judge.measure(model)
        steps = ALL_ATTACKS.get(attack, [])
        if not steps or steps[0]['type'] == PATCH['type']:
            cell.update(self.judge.measure_patched(model))
        if not steps:
            cell['pgd'] = self.judge.measure_changed(model)
        return {**cell, **cost}


def loss_table(means: CellMeans) -> str:
    """PCK of each defence under each attack."""
    return markdown_table(
        ['defence', *ATTACKS],
        [[defence, *(means.text(f'{attack}, {defence}', 'pck')
                     for attack in ATTACKS)] for defence in DEFENCES])


def cost_table(means: CellMeans) -> str:
    """What each defence does without an attack."""
    keys = dict(pck=1, pgd=1, seconds=0)
    cells = {
        'before': f'{BEFORE}, FedAvg',
        'before, FRL': f'{BEFORE}, FRL',
        **{defence: f'none, {defence}' for defence in DEFENCES}
    }
    return markdown_table(
        ['defence', 'PCK', 'under PGD', 's'],
        [[label, *(means.text(name, key, digits)
                   for key, digits in keys.items())]
         for label, name in cells.items()])


def backdoor_table(means: CellMeans) -> str:
    """How often the patch moves the nose, by attack and defence."""
    keys = ('pck', 'patched', 'chance', 'success', 'pgd')
    names = [f'{attack}, {defence}' for attack in (BEFORE, *ALL_ATTACKS)
             for defence in DEFENCES]
    return markdown_table([
        'attack, defence', 'PCK', 'with patch', 'nose moved without patch',
        'nose moved with patch', 'under PGD'
    ], [[name, *(means.text(name, key) for key in keys)]
        for name in names if means.values(name, 'patched')])


#: What is printed of each study.
TABLES = {
    'hostile': (loss_table, cost_table),
    'renewed': (backdoor_table, ),
    'planted': (backdoor_table, ),
}


def main():
    """Measure what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('study', choices=STUDIES)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--attacks', nargs='+', choices=ALL_ATTACKS)
    parser.add_argument('--defences', nargs='+', choices=DEFENCES)
    parser.add_argument('--results', type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    init_default_scope('mmpose')
    study, judge = STUDIES[arguments.study], Judge()
    defences = arguments.defences or study.defences
    with tempfile.TemporaryDirectory() as folder:
        for seed in arguments.seeds:
            cells = Cells(arguments.results, arguments.study, seed,
                          study.settings)
            bench = Bench(study, seed, judge, folder)
            for network in dict.fromkeys(map(network_of, defences)):
                cells.fill(f'{BEFORE}, {network}', partial(
                    bench.measure, BEFORE, network))
            for attack in arguments.attacks or study.attacks:
                for defence in defences:
                    cells.fill(f'{attack}, {defence}',
                               partial(bench.measure, attack, defence))
    means = CellMeans(arguments.results, arguments.study)
    for table in TABLES[arguments.study]:
        print(table(means), end='\n\n')


if __name__ == '__main__':
    sys.exit(exit_code(main))
