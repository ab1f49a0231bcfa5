"""What is measured: the project's models, optimizers and batches."""

from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import torch

import mmpose_raf  # noqa: F401  closes gaps before mmpose is imported
from mmengine.config import Config  # isort: skip
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.registry import DATASETS, MODELS
from mmpose.structures import PoseDataSample

from benchmarks.measuring import DTYPES
from mmpose_raf.datasets.seeding import seeded
from mmpose_raf.sizes import Size

ROOT = Path(__file__).parents[1]
ARCHS = ('micro', 'tiny', 'small', 'base', 'large')
WIDTHS = dict(small=384, base=768, large=1024)
# Two blocks: for what is about the number of clients, not their models.
MICRO = dict(
    embed_dims=48, num_layers=2, num_heads=4, feedforward_channels=192)
NUM_KEYPOINTS = 17
ANN_FILE = 'annotations/person_keypoints_train2017.json'
IMAGES = 'train2017/'


def read_config(arch: str, num_levels: int = 3) -> Config:
    """A config of this project with another model and fewer levels.

    All levels of a batch are trained, with distillation and RAF's encodings:
    the dearest step, of which the others are parts.

    Args:
        arch (str): ``'tiny'`` is the demo's model, at 128x96; ``'micro'`` a
            part of it; the others are ViTs with patches of 16 at 256x192.
        num_levels (int): Levels of the ladder, from the highest.
    """
    init_default_scope('mmpose')
    is_demo = arch in ('micro', 'tiny')
    name = 'raf_demo.py' if is_demo else 'raf_vitpose_b.py'
    # Formatting configs takes longer than to train small models.
    cfg = Config.fromfile(ROOT / 'configs' / name, format_python_code=False)
    if arch != 'tiny':
        set_arch(cfg, arch)
    # Dropped paths save work at random.
    cfg.model.backbone.drop_path_rate = 0.
    cfg.model.ladder = cfg.model.ladder[:num_levels]
    cfg.model.update(
        levels='all',
        upward=False,
        level_weights='area',
        distill=dict(
            type='MultiResolutionDistillLoss',
            alpha=0.3,
            teacher='highest',
            resize='bilinear'))
    cfg.model.backbone.update(pos_embed='gpe', lpe=True)
    return cfg


def set_arch(cfg: Config, arch: str):
    """Give a config another ViT, and a head that fits it."""
    if arch == 'micro':
        cfg.model.backbone.arch = dict(MICRO)
        cfg.model.head.in_channels = MICRO['embed_dims']
        count = len(cfg.model.head.deconv_out_channels)
        cfg.model.head.deconv_out_channels = (32, ) * count
    else:
        cfg.model.backbone.arch = arch
        cfg.model.head.in_channels = WIDTHS[arch]


def build_model(cfg: Config,
                device: torch.device,
                seed: int = 0) -> torch.nn.Module:
    """The config's model, in training mode, the same for the same seed."""
    torch.manual_seed(seed)
    return MODELS.build(cfg.model).to(device).train()


class LocalStep:
    """A local training step as MMEngine's loop makes it.

    Args:
        arch (str): See :func:`read_config`.
        num_levels (int): Levels of the ladder.
        amp (str): ``'fp32'``, ``'bf16'`` or ``'fp16'``.
        batch_size (int): Images in a batch.
        device (torch.device): Where to train.
        passes (str): See :class:`RAFPoseEstimator`, or ``'separate'``, as
            with a backbone that takes one level at a time. Defaults to
            ``'joint'``.
        is_compiled (bool): See ``torch_compile`` there. Defaults to False.
    """

    def __init__(self,
                 arch: str,
                 num_levels: int,
                 amp: str,
                 batch_size: int,
                 device: torch.device,
                 passes: str = 'joint',
                 is_compiled: bool = False):
        cfg = read_config(arch, num_levels)
        cfg.model.passes = 'joint' if passes == 'separate' else passes
        cfg.model.torch_compile = is_compiled
        self.device = device
        self.dtype = DTYPES[amp]
        self.model = build_model(cfg, device)
        if passes == 'separate':
            self.model.backbone.takes_levels = False
        self.optim_wrapper = build_optim_wrapper(self.model, cfg.optim_wrapper)
        self.scaler = torch.amp.GradScaler(
            device.type, enabled=amp == 'fp16')
        self.levels: List[Size] = [tuple(size) for size in cfg.model.ladder]
        self.data = make_batch(batch_size, self.levels[0])

    def __call__(self) -> torch.Tensor:
        """Make one step; returns the loss."""
        loss = self.forward()
        self.scaler.scale(loss).backward()
        # OptimWrapper's step, with the scaler that AmpOptimWrapper has and
        # does not grant a CPU.
        wrapper = self.optim_wrapper
        if self.scaler.is_enabled():
            self.scaler.unscale_(wrapper.optimizer)
        wrapper._clip_grad()
        self.scaler.step(wrapper.optimizer)
        self.scaler.update()
        wrapper.zero_grad()
        return loss.detach()

    def forward(self) -> torch.Tensor:
        """The loss of the batch, from images in bytes."""
        with torch.autocast(
                self.device.type,
                self.dtype,
                enabled=self.dtype != torch.float32):
            data = self.model.data_preprocessor(self.data, True)
            losses = self.model(**data, mode='loss')
        return self.model.parse_losses(losses)[0]


def make_batch(batch_size: int,
               size: Size,
               seed: int = 0,
               client: Optional[str] = None) -> Dict[str, Any]:
    """A batch as the data loader gives it: random images and keypoints.

    Args:
        batch_size (int): Number of samples.
        size (tuple[int, int]): Size (w, h) of the images in pixels.
        seed (int): Seed of both. Defaults to 0.
        client (str, optional): Name of the client. Defaults to None.
    """
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(batch_size):
        sample = PoseDataSample(metainfo=dict(client=client))
        keypoints = rng.uniform(0, np.array(size) - 1, (1, NUM_KEYPOINTS, 2))
        visible = rng.uniform(size=(1, NUM_KEYPOINTS)) < .9
        sample.gt_instances = InstanceData(
            transformed_keypoints=keypoints.astype(np.float32),
            keypoints_visible=visible.astype(np.float32))
        samples.append(sample)
    images = rng.integers(0, 256, (batch_size, 3, size[1], size[0]), np.uint8)
    return dict(
        inputs=[torch.from_numpy(image) for image in images],
        data_samples=samples)


def read_data_config(cfg: Config,
                     num_samples: int = 64,
                     data_root: Optional[str] = None,
                     ann_file: str = ANN_FILE,
                     images: str = IMAGES,
                     **options: Any) -> dict:
    """Training data with the paper's augmentation at the config's size.

    Args:
        cfg (Config): Whose ladder's highest level is cropped.
        num_samples (int): Rendered people. Defaults to 64.
        data_root (str, optional): Folder of a data set in COCO's format.
            Defaults to None: rendered people.
        ann_file (str): Its annotations. Defaults to COCO's of training.
        images (str): Its images. Defaults to COCO's of training.
        **options: Further arguments of ``SyntheticPoseDataset``.
    """
    pipelines = Config.fromfile(
        ROOT / 'configs/_base_/pipelines.py', format_python_code=False)
    pipeline = pipelines.train_pipeline
    for step in pipeline:
        if step.type == 'TopdownAffine':
            step.input_size = tuple(cfg.model.ladder[0])
    if data_root is not None:
        return dict(
            type='CocoDataset',
            data_root=data_root,
            ann_file=ann_file,
            data_prefix=dict(img=images),
            pipeline=pipeline)
    return dict(
        type='SyntheticPoseDataset',
        num_samples=num_samples,
        pipeline=pipeline,
        **options)


def load_batch(cfg: Config, batch_size: int, seed: int = 0) -> Dict[str, Any]:
    """A batch of rendered people, augmented and cropped."""
    dataset = DATASETS.build(read_data_config(cfg, batch_size))
    with seeded(seed):
        return pseudo_collate([dataset[i] for i in range(batch_size)])


def count_tokens(size: Size, patch: int) -> int:
    """Patches of an input of size (w, h)."""
    return (size[0] // patch) * (size[1] // patch)
