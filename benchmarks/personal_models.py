"""Accuracy of each client's own model, where the clients' images differ.

Four cameras that see 80 rendered persons each: one as they are (64x48), one
from the ceiling, upside down (48x32), one of heat, as a grey negative (64x48),
one by night, of a fifth of the contrast (48x32). Printed is PCK of each client
at its size on 200 other persons seen by its camera, of two models: that of the
server with the client's own layers, if it has any, and the one that the
client's last training ended with. The learning rate falls to a fifth, not to
nothing, so that there is a last training.

    python -m benchmarks.personal_models [--arms FedAvg PGFed ...]
"""

import argparse
import tempfile
import time
from typing import Dict, List, Tuple
from unittest import mock

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn

from benchmarks.small_people import (HIGH, LOW, evaluate, load_people,
                                     make_config)
from mmpose_raf.federation import Server
from mmpose_raf.federation.state_math import State, clone_state
from mmpose_raf.sizes import Size, size_name

from mmpose.registry import TRANSFORMS  # isort: skip

PERSONS = 80
#: Input size of each camera, and what it does to an image.
CAMERAS: Dict[str, Tuple[Size, dict]] = {
    'plain': (HIGH, dict()),
    'ceiling': (LOW, dict(is_upside_down=True)),
    'heat': (HIGH, dict(is_grey=True, gain=-1., offset=255.)),
    'night': (LOW, dict(gain=0.2)),
}
ARMS: Dict[str, dict] = {
    'FedAvg': dict(),
    'FedBN': dict(local_params='norm'),
    'personal head': dict(local_params=['head.*']),
    'PGFed': dict(local_objective=dict(type='PGFed')),
    'PGFedMo': dict(local_objective=dict(type='PGFed', momentum=0.5)),
}
ALONE = 'each alone'


@TRANSFORMS.register_module()
class Camera(BaseTransform):
    """Sees an image (H, W, 3) as gain * image + offset.

    Args:
        gain (float): See above. Defaults to 1.
        offset (float): See above. Defaults to 0.
        is_grey (bool): Whether it sees no colours. Defaults to False.
        is_upside_down (bool): Whether it is turned by 180 degrees. Defaults
            to False.
    """

    def __init__(self,
                 gain: float = 1.,
                 offset: float = 0.,
                 is_grey: bool = False,
                 is_upside_down: bool = False):
        self.gain = gain
        self.offset = offset
        self.is_grey = is_grey
        self.is_upside_down = is_upside_down

    def transform(self, results: dict) -> dict:
        """Change the image, and where keypoints and box are."""
        image = results['img']
        if self.is_grey:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None].repeat(
                3, axis=2)
        image = self.gain * image.astype(np.float32) + self.offset
        if self.is_upside_down:
            image = image[::-1, ::-1]
            last = np.array(image.shape[1::-1]) - 1
            results['keypoints'] = last - results['keypoints']
            # Its corners change places.
            results['bbox'] = np.tile(last, 2) - results['bbox'][
                ..., [2, 3, 0, 1]]
        results['img'] = image.round().clip(0, 255).astype(np.uint8)
        return results


def list_clients(cfg, seed: int) -> List[dict]:
    """The clients, each with a dataset of its own."""
    clients = []
    for index, (name, (size, look)) in enumerate(CAMERAS.items()):
        dataset = cfg.train_dataloader.dataset.to_dict()
        load, *rest = dataset['pipeline']
        dataset.update(
            num_samples=PERSONS,
            seed=1000 + seed * len(CAMERAS) + index,
            pipeline=[load, dict(type='Camera', **look), *rest])
        clients.append(dict(name=name, input_size=size, dataset=dataset))
    return clients


class Training:
    """A training, and the models that its clients are left with.

    Args:
        arm (dict): Settings of the federation.
        rounds (int): Its rounds.
        seed (int): Its seed.
        names (list[str]): The clients that take part.
    """

    def __init__(self, arm: dict, rounds: int, seed: int, names: List[str]):
        self.sent: Dict[str, State] = {}
        receive = Server.receive

        def note(server, update):
            self.sent[update.client] = clone_state(update.state)
            return receive(server, update)

        with tempfile.TemporaryDirectory() as folder:
            cfg = make_config(arm, PERSONS, rounds, seed, folder)
            cfg.federation.clients = [
                client for client in list_clients(cfg, seed)
                if client['name'] in names
            ]
            cfg.param_scheduler[1].eta_min_ratio = 0.2
            runner = Runner.from_cfg(cfg)
            with mock.patch.object(Server, 'receive', note):
                runner.train()
        self.model, self.loop = runner.model, runner.train_loop

    def model_of(self, client: str, is_trained: bool) -> nn.Module:
        """The model of a client.

        Args:
            client (str): Its name.
            is_trained (bool): Whether it is the one that its last training
                ended with. If not, it is the server's.
        """
        state = self.loop.states[self.loop.names.index(client)]
        shared = self.sent[client] if is_trained else self.loop.server.state
        self.model.load_state_dict({**shared, **state.personal})
        return self.model


class Judge:
    """Prints the accuracy of each client's model."""

    def __init__(self):
        self.people = {
            name: load_people(
                200, [size], before=[dict(type='Camera', **look)])[size]
            for name, (size, look) in CAMERAS.items()
        }

    def add(self, name: str, models: Dict[str, Training], is_trained: bool,
            seconds: float):
        """Print a row.

        Args:
            name (str): Its name.
            models (dict[str, Training]): By client the training that made
                its model.
            is_trained (bool): See :meth:`Training.model_of`.
            seconds (float): What the trainings took.
        """
        values = [
            evaluate(training.model_of(client, is_trained),
                     self.people[client])['PCK']
            for client, training in models.items()
        ]
        cells = ' | '.join(f'{value:.1f}'
                           for value in [*values, np.mean(values)])
        print(f'| {name} | {"client" if is_trained else "server"} | {cells} '
              f'| {seconds:.0f} |', flush=True)


def main():
    """Train all and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--arms', nargs='+', choices=[*ARMS, ALONE], default=list(ARMS))
    parser.add_argument('--rounds', type=int, default=8)
    parser.add_argument('--seed', type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    init_default_scope('mmpose')
    judge = Judge()
    heads = [f'{name}, {size_name(size)}'
             for name, (size, _) in CAMERAS.items()]
    print(f'| arm | model of the | {" | ".join(heads)} | mean | s |\n'
          f'|---|---|{"---:|" * (len(heads) + 2)}')
    for name in arguments.arms:
        start = time.process_time()
        groups = [[client] for client in CAMERAS] if name == ALONE else [
            list(CAMERAS)
        ]
        models = {}
        for group in groups:
            training = Training(
                ARMS.get(name, {}), arguments.rounds, arguments.seed, group)
            models.update(dict.fromkeys(group, training))
        seconds = time.process_time() - start
        for is_trained in (False, True):
            judge.add(name, models, is_trained, seconds)


if __name__ == '__main__':
    main()
