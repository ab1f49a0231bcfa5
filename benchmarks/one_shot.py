"""One round against many: accuracy of one-shot learning at every size.

Three clients (96x72, 64x48 and 32x24, 200 rendered persons each) train for
some rounds at their own size and those below it, each by itself. Of what they
then send once are made: the mean of the models, their ensemble, and global
models by dense inversion, labelled by pose or ensemble, and by FedMITR. Beside
them stands FedAvg over as many rounds. Printed is PCK in percent on people
that nobody has trained on, at the sizes of the training and one beyond, and
the seconds of computation: of the clients' training in the first rows, of
inversion and distillation in those of dense inversion (whose images are made
once) and FedMITR.

    python -m benchmarks.one_shot [--rounds 24] [--images 128]
        [--steps 60] [--seed 0]
"""

import argparse
import copy
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner import Runner
from torch import nn

import mmpose_raf  # noqa: F401  registers everything
from mmpose.evaluation.metrics import PCKAccuracy  # isort: skip

from mmpose_raf.engine.federation_settings import FederationSettings
from mmpose_raf.one_shot import OneShotSettings
from mmpose_raf.one_shot.client_training import client_config, train_clients
from mmpose_raf.one_shot.ensemble import Ensemble
from mmpose_raf.one_shot.inversion import Inverted
from mmpose_raf.one_shot.pose_prior import ClientPoses
from mmpose_raf.one_shot.pose_statistics import PoseStatistics
from mmpose_raf.one_shot.server_side import ServerSide
from mmpose_raf.sizes import Size, size_name

ROOT = Path(__file__).parents[1]
LADDER = [(72, 96), (48, 64), (24, 32)]
SIZES = [(96, 128), *LADDER]
#: By row of the table how patches are stopped, and the labels.
METHODS: Dict[str, tuple] = {
    'dense inversion, pose': ((), 'pose'),
    'dense inversion, ensemble': ((), 'ensemble'),
    'FedMITR': ((0.75, 0.5), 'relabel'),
}


def config_of(folder: str, rounds: int, seed: int) -> Config:
    """Config of the federation."""
    cfg = Config.fromfile(ROOT / 'configs/raf_demo.py')
    cfg.merge_from_dict({
        'model.ladder': LADDER,
        # A client knows its own size and those below it.
        'model.upward': False,
        'model.levels': 'one',
        'model.level_weights': 'uniform',
        'model.backbone.img_size': LADDER[0][::-1],
        'model.head.decoder.input_size': LADDER[0],
        'model.head.decoder.heatmap_size': (18, 24),
        'model.head.decoder.sigma': 1.2,
        'model.test_cfg': dict(flip_test=False, fit_to_ladder=None),
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_dataloader.dataset.num_samples': 600,
        'train_dataloader.dataset.image_size': (120, 160),
        'randomness.seed': seed,
        'train_cfg.max_epochs': rounds,
        'log_level': 'ERROR',
    })
    cfg.federation.clients = [
        dict(name=name, input_size=size)
        for name, size in zip(('high', 'mid', 'low'), LADDER)
    ]
    for split in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{split}_{part}'] = None
    cfg.custom_hooks = [dict(type='FederatedHook')]
    cfg.work_dir, cfg.experiment_name = folder, f'{Path(folder).name}_{seed}'
    cfg.visualizer.name = cfg.experiment_name
    return cfg


class Judge:
    """Measures on people that nobody has trained on.

    Args:
        num_samples (int): How many, a multiple of 50.
    """

    def __init__(self, num_samples: int):
        dataset = Config.fromfile(
            ROOT / 'configs/raf_demo.py').test_dataloader.dataset
        dataset.update(
            num_samples=num_samples, image_size=(240, 320), test_mode=True)
        self.batches: Dict[Size, List[dict]] = {}
        for size in SIZES:
            built = DATASETS.build(
                dict(
                    dataset,
                    pipeline=[
                        dict(type='LoadImage'),
                        dict(type='GetBBoxCenterScale'),
                        dict(
                            type='TopdownAffine',
                            input_size=size,
                            use_udp=True),
                        dict(type='PackPoseInputs')
                    ]))
            self.batches[size] = [
                pseudo_collate([built[i] for i in range(first, first + 50)])
                for first in range(0, num_samples, 50)
            ]
        self.metainfo = built.metainfo

    @torch.no_grad()
    def measure(self, predict: Callable[[dict], list]) -> List[float]:
        """PCK in percent at each of ``SIZES``.

        Args:
            predict (callable): From a batch to its samples, with predictions.
        """
        return [100 * self._pck(predict, size) for size in SIZES]

    def _pck(self, predict: Callable[[dict], list], size: Size) -> float:
        metric = PCKAccuracy(thr=0.1)
        metric.dataset_meta = self.metainfo
        for batch in self.batches[size]:
            metric.process(batch, [
                sample.to_dict() for sample in predict(copy.deepcopy(batch))
            ])
        return metric.compute_metrics(metric.results)['PCK']


def ensemble_predictor(ensemble: Ensemble,
                       model: nn.Module) -> Callable[[dict], list]:
    """What the mean heatmaps of an ensemble say, decoded by a model's head."""

    def predict(batch: dict) -> list:
        images = torch.stack(batch['inputs']).float()
        heatmaps = ensemble.heatmaps(images, tuple(images.shape[:-3:-1]))
        return model.add_pred_to_datasample(
            model.head.decode(heatmaps), None, batch['data_samples'])

    return predict


def main():
    """Train all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=24)
    parser.add_argument('--images', type=int, default=128)
    parser.add_argument('--steps', type=int, default=60)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--persons', type=int, default=200,
        help='on whom is measured, a multiple of 50')
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    init_default_scope('mmpose')
    judge = Judge(arguments.persons)
    start = time.process_time()

    def report(name: str, predict: Callable[[dict], list]):
        seconds = time.process_time() - start
        values = ' | '.join(f'{value:.1f}' for value in judge.measure(predict))
        print(f'| {name} | {values} | {seconds:.0f} |', flush=True)

    print('| | ' + ' | '.join(map(size_name, SIZES)) + ' | s |\n|---|' +
          '---:|' * (len(SIZES) + 1))
    with tempfile.TemporaryDirectory() as folder:
        cfg = config_of(f'{folder}/one', arguments.rounds, arguments.seed)
        federation = FederationSettings.of_config(cfg)
        checkpoints = train_clients({
            client.name: client_config(cfg, federation, client.name, True)
            for client in federation.clients
        })
        states = [saved['state_dict'] for saved in checkpoints]
        prior = ClientPoses([
            PoseStatistics(**saved['pose_statistics'])
            for saved in checkpoints
        ])
        inverted: Dict[tuple, List[Inverted]] = {}
        for number, (name, (keep, labels)) in enumerate(METHODS.items()):
            cfg.one_shot = dict(
                num_images=arguments.images,
                inversion=dict(keep=keep, steps=arguments.steps),
                labels=labels)
            settings = OneShotSettings.of_config(cfg)
            server = ServerSide(cfg, settings, federation, states, prior)
            if number == 0:
                for client, model in zip(federation.clients,
                                         server.ensemble.models):
                    report(f'client {client.name} alone', model.test_step)
                report('FedAvg, one round', server.model.eval().test_step)
                report('ensemble',
                       ensemble_predictor(server.ensemble, server.model))
            start = time.process_time()
            if keep not in inverted:
                inverted[keep] = [
                    server.invert(batch) for batch in range(
                        -(-arguments.images // settings.batch_size))
                ]
            server.distil(inverted[keep])
            report(name, server.model.test_step)
        start = time.process_time()
        many = Runner.from_cfg(
            config_of(f'{folder}/many', arguments.rounds, arguments.seed))
        report(f'FedAvg, {arguments.rounds} rounds',
               many.train().eval().test_step)


if __name__ == '__main__':
    main()
