"""Every config of the repository: it is built, trained and evaluated."""

import math
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import MODELS

from mmpose_raf.engine.preflight import read_settings
from tests.shared_data import shared_data
from tests.toy import Witness, hook_of, run

FOLDER = Path(__file__).parents[1] / 'configs'
CONFIGS = sorted(FOLDER.glob('*.py'))
# Stock backbones cannot be made smaller by a line or two.
IS_SLOW = ('hrnet', )
SMALL_VIT = dict(embed_dims=32,
                 num_layers=2,
                 num_heads=2,
                 feedforward_channels=64)


def parameters(configs):
    return [
        pytest.param(
            path,
            id=path.stem,
            marks=[pytest.mark.slow for name in IS_SLOW if name in path.stem])
        for path in configs
    ]


def set_data(cfg):
    """Take the data sets that are at hand, and a few samples of them."""
    kind = cfg.train_dataloader.dataset.type
    train, val = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    if kind == 'SyntheticPoseDataset':
        train.num_samples, val.num_samples = 9, 4
        return
    if kind == 'CocoDataset' and 'metainfo' in train:
        root = shared_data('lsp')
        for dataset in (train, val):
            dataset.metainfo = dict(from_file=str(root / 'metainfo.py'))
        cfg.federation.partitioner.samples_per_client = 3
        train.indices, val.indices = 9, [4000, 4001, 4002, 4003]
    elif kind == 'CocoDataset':
        root = shared_data('coco_mini')
        val.pop('bbox_file', None)
        cfg.val_evaluator = dict(type='CocoMetric')
        train.indices, val.indices = 9, 4
    elif kind == 'MpiiDataset':
        root = shared_data('mpii_sample')
        for dataset in (train, val):
            dataset.ann_file = 'annotations/mpii_sample.json'
        # Five persons; there are no head boxes for PCKh.
        cfg.federation.partitioner.samples_per_client = 1
        val.pop('headbox_file')
        cfg.val_evaluator = dict(type='PCKAccuracy', norm_item='bbox')
    else:
        assert kind == 'Face300WDataset', f'no data for {kind}'
        root = shared_data('faces68')
        train.indices, val.indices = 40, 6
    for dataset in (train, val):
        dataset.data_root = str(root)


def shrink(cfg, work_dir):
    """Make a run of it a matter of seconds, and leave the rest as it is."""
    set_data(cfg)
    backbone = cfg.model.backbone
    backbone.init_cfg = None
    if backbone.type == 'RAFViT':
        backbone.arch = SMALL_VIT
        channels = cfg.model.head.deconv_out_channels
        cfg.model.head.update(in_channels=32,
                              deconv_out_channels=(8, ) * len(channels))
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
    if backbone.type != 'RAFViT':
        cfg.train_dataloader.update(batch_size=1)
        cfg.train_dataloader.dataset.indices = 3
        cfg.val_dataloader.dataset.indices = 1
    # Those that begin later than the one round ends are no longer valid.
    cfg.param_scheduler = [
        schedule for schedule in cfg.param_scheduler
        if schedule.get('begin', 0) == 0
    ]
    for schedule in cfg.param_scheduler:
        if schedule.type == 'LinearLR':  # or the first steps change nothing
            schedule.start_factor = .5
    cfg.pop('test_dataloader')
    cfg.pop('test_cfg')
    cfg.pop('test_evaluator')
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(work_dir)
    cfg.custom_hooks.append(dict(type='Witness'))
    return cfg


def test_there_are_configs():
    """The tests below would pass without any."""
    assert len(CONFIGS) >= 4


@pytest.mark.parametrize('path', parameters(CONFIGS))
def test_one_round_and_its_evaluation(path, tmp_path):
    runner = run(shrink(Config.fromfile(path), tmp_path))
    witness = hook_of(runner, Witness)
    names = runner.train_loop.names
    assert list(dict.fromkeys(seen['client']
                              for seen in witness.iterations)) == names
    assert len(names) == 3
    assert all(math.isfinite(loss) for loss in witness.losses)
    # Every part of the model has learned, or been counted.
    for key, value in witness.rounds[0].items():
        if value.ndim > 1 or value.numel() > 1:
            assert not value.equal(witness.first[key]), key

    hub = runner.message_hub
    scores = {
        key: hub.get_scalar(key).current()
        for key in hub.log_scalars
        if key.startswith('val/') and 'time' not in key
    }
    assert scores
    assert all(math.isfinite(score) for score in scores.values())
    # What decides on the best checkpoint is among them.
    best = cfg_best(runner.cfg)
    if best not in (None, 'auto'):
        assert f'val/{best}' in scores
        assert list(tmp_path.glob('best_*.pth'))


def cfg_best(cfg):
    return cfg.default_hooks.checkpoint.get('save_best')


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_as_it_stands(path, tmp_path):
    """Model, federation and optimizer of the full size."""
    cfg = Config.fromfile(path)
    settings = read_settings(cfg)
    model = MODELS.build(cfg.model)
    if hasattr(model.backbone, 'grid_of'):
        for client in settings.clients:
            model.backbone.grid_of(client.input_size[::-1])
            assert client.input_size in model.ladder
    # The pipelines crop at the size of the codec.
    codec = model.head.decoder
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        sizes = [
            tuple(step.input_size) for step in loader.dataset.pipeline
            if step.type == 'TopdownAffine'
        ]
        assert sizes == [tuple(codec.input_size)]

    runner = Runner(model=model,
                    work_dir=str(tmp_path),
                    default_scope='mmpose',
                    experiment_name=f'{path.stem}_as_it_stands')
    wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    learning = [
        id(parameter) for group in wrapper.optimizer.param_groups
        for parameter in group['params']
    ]
    assert sorted(learning) == sorted(id(p) for p in model.parameters())
    # Schedules end with the run, which is their default.
    rounds = cfg.train_cfg.max_epochs
    ends = [
        schedule.get('end', rounds) for schedule in cfg.param_scheduler
        if schedule.get('by_epoch', True)
    ]
    assert max(ends) == rounds


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_survives_being_written(path, tmp_path):
    """Runs and checkpoints carry the config as text."""
    cfg = Config.fromfile(path)
    cfg.dump(tmp_path / 'config.py')
    again = Config.fromfile(tmp_path / 'config.py')
    assert again.to_dict() == cfg.to_dict()


@pytest.mark.slow
def test_faces_are_learned(tmp_path):
    """The loss of every client falls, and the error on other persons."""
    cfg = shrink(Config.fromfile(FOLDER / 'raf_vit_faces68.py'), tmp_path)
    cfg.train_dataloader.batch_size = 16
    cfg.train_dataloader.dataset.indices = 600
    cfg.val_dataloader.dataset.indices = 100
    cfg.val_dataloader.batch_size = 50
    cfg.train_cfg.max_epochs = 6
    cfg.optim_wrapper.optimizer.lr = 4e-3
    cfg.param_scheduler = None
    runner = run(cfg)
    witness = hook_of(runner, Witness)
    for client in ('high', 'mid', 'low'):
        means = []
        for round_ in (0, 5):
            losses = [
                loss for loss, seen in zip(witness.losses, witness.iterations)
                if (seen['client'], seen['round']) == (client, round_)
            ]
            means.append(sum(losses) / len(losses))
        assert means[1] < .95 * means[0]
    errors = [
        value
        for value, _ in zip(*runner.message_hub.get_scalar('val/NME').data)
    ]
    assert len(errors) == 6
    assert errors[-1] < .5 * errors[0]
