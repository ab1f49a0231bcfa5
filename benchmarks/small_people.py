"""Federations on few rendered people of two sizes, for many short runs."""

import copy
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import BaseMetric
from mmengine.registry import DATASETS

import mmpose_raf  # noqa: F401  registers everything
from mmpose.evaluation.metrics import PCKAccuracy  # isort: skip

from mmpose_raf.sizes import Size

ROOT = Path(__file__).parents[1]
DEMO = ROOT / 'configs/raf_demo.py'
#: Sizes (w, h) of the clients' inputs in pixels.
HIGH, LOW = (48, 64), (32, 48)
#: What is rendered: nothing larger than 96x72 is cropped from it.
IMAGE_SIZE = (120, 160)


def make_config(federation: dict,
                num_samples: int,
                rounds: int,
                seed: int,
                folder: str,
                load_from: Optional[str] = None,
                embed_dims: int = 64,
                num_layers: int = 2) -> Config:
    """The demo's method on a ladder of two sizes, with a smaller ViT.

    Args:
        federation (dict): Its settings.
        num_samples (int): Persons for training, of all clients together.
        rounds (int): Rounds.
        seed (int): Seed of the run and of its people.
        folder (str): Its work dir.
        load_from (str, optional): Checkpoint to begin with. Defaults to
            None: from scratch.
        embed_dims (int): Width of the ViT, a multiple of 4 heads, and of the
            head. Defaults to 64.
        num_layers (int): Its blocks. Defaults to 2.
    """
    cfg = Config.fromfile(DEMO)
    cfg.federation = federation
    cfg.merge_from_dict({
        'model.ladder': [HIGH, LOW],
        'model.backbone.img_size': HIGH[::-1],
        'model.backbone.arch.embed_dims': embed_dims,
        'model.backbone.arch.feedforward_channels': 4 * embed_dims,
        'model.backbone.arch.num_layers': num_layers,
        'model.head.in_channels': embed_dims,
        'model.head.deconv_out_channels': (embed_dims, ),
        'model.head.decoder.input_size': HIGH,
        'model.head.decoder.heatmap_size': (12, 16),
        'model.head.decoder.sigma': 1.,
        # In a flipped image a patch would be elsewhere, and no camera hangs
        # the other way round.
        'model.test_cfg.flip_test': False,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_dataloader.dataset.num_samples': num_samples,
        'train_dataloader.dataset.image_size': IMAGE_SIZE,
        # Other people for each seed, and never those of the test.
        'train_dataloader.dataset.seed': 1000 + seed,
        'randomness.seed': seed,
        'train_cfg.max_epochs': rounds,
        'log_level': 'ERROR',
    })
    cfg.load_from = load_from
    for split in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{split}_{part}'] = None
    cfg.custom_hooks = [dict(type='FederatedHook')]
    cfg.default_hooks.checkpoint = None
    cfg.work_dir, cfg.experiment_name = folder, Path(folder).name
    cfg.visualizer.name = Path(folder).name
    return cfg


def load_people(num_samples: int,
                sizes: Sequence[Size],
                before: Sequence[dict] = (),
                after: Sequence[dict] = ()) -> Dict[Size, List[dict]]:
    """Batches of people that nobody trains on.

    Args:
        num_samples (int): How many.
        sizes (list[tuple[int, int]]): Sizes (w, h) of the crops.
        before (list[dict]): Transforms of the image.
        after (list[dict]): Transforms of the crop.

    Returns:
        dict[tuple[int, int], list[dict]]: By size, in batches of 50.
    """
    dataset = Config.fromfile(DEMO).test_dataloader.dataset
    dataset.update(
        num_samples=num_samples, image_size=IMAGE_SIZE, test_mode=True)
    return {size: _batches(dataset, size, before, after) for size in sizes}


def _batches(dataset: dict, size: Size, before: Sequence[dict],
             after: Sequence[dict]) -> List[dict]:
    built = DATASETS.build(
        dict(
            dataset,
            pipeline=[
                dict(type='LoadImage'), *before,
                dict(type='GetBBoxCenterScale'),
                dict(type='TopdownAffine', input_size=size, use_udp=True),
                *after,
                dict(type='PackPoseInputs', pack_transformed=True)
            ]))
    samples = [built[index] for index in range(len(built))]
    return [
        pseudo_collate(samples[first:first + 50])
        for first in range(0, len(samples), 50)
    ]


@torch.no_grad()
def evaluate(model: torch.nn.Module, batches: Sequence[dict],
             metrics: Sequence[BaseMetric] = ()) -> Dict[str, float]:
    """PCK in percent (0.1 of the box) and what other metrics give.

    Args:
        model (nn.Module): The pose estimator.
        batches (list[dict]): See :func:`load_people`.
        metrics (list[BaseMetric]): Further metrics, fresh ones.
    """
    metrics = [PCKAccuracy(thr=0.1), *metrics]
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
        results.update(metric.compute_metrics(metric.results))
    return {name: 100 * value for name, value in results.items()}
