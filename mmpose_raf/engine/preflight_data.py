"""Whether the files of a config's datasets are there and whole."""

import copy
import os.path as osp
from typing import Iterator, Tuple

from mmengine.config import Config
from mmengine.registry import DATASETS, TRANSFORMS
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.datasets.datasets.body import MpiiDataset

from mmpose_raf.argument_types import class_of
from mmpose_raf.building import build, check_signature
from mmpose_raf.datasets.annotation_check import check_annotation_file
from mmpose_raf.errors import ConfigError


def check_dataset(dataset: dict, field: str, opens_images: bool = False):
    """Check a dataset that is not built: its arguments and its files.

    Args:
        dataset (dict): Its config.
        field (str): Where it stands.
        opens_images (bool): Whether its images are decoded. Defaults to
            False.

    Raises:
        ConfigError: If an argument is none of it, a transform of its pipeline
            cannot be built, a file is missing or its annotations cannot be
            used.
    """
    _check_texts(dataset, field)
    root = dataset.get('data_root') or ''
    for key, path in _paths_of(dataset):
        path = osp.join(root, path)
        if '://' not in path and not osp.exists(path):
            raise ConfigError(f'{field}.{key}', f'no such path: {path}',
                              f'set it, or data_root (now {root!r})')
    # MMPose does not look for these under data_root.
    for key in ('bbox_file', 'headbox_file'):
        path = dataset.get(key) or ''
        if path and '://' not in path and not osp.exists(path):
            raise ConfigError(f'{field}.{key}', f'no such path: {path}',
                              'set it; data_root has no effect on it')
    for index, part in enumerate(as_list(dataset.get('datasets'))):
        check_dataset(part, f'{field}.datasets[{index}]', opens_images)
    check_signature(DATASETS, dataset, field)
    for index, transform in enumerate(as_list(dataset.get('pipeline'))):
        if isinstance(transform, dict):
            build(TRANSFORMS, copy.deepcopy(transform),
                  f'{field}.pipeline[{index}]')
    if _is_understood(dataset):
        _check_annotations(dataset, field, opens_images)


def _check_texts(dataset: dict, field: str):
    """Refuse paths that are none."""
    folders = dataset.get('data_prefix')
    if folders is not None and not isinstance(folders, dict):
        raise ConfigError(f'{field}.data_prefix', f'got {folders!r}',
                          "use a dict, e.g. dict(img='images/')")
    for index, part in enumerate(as_list(dataset.get('datasets'))):
        if not isinstance(part, dict):
            raise ConfigError(f'{field}.datasets[{index}]', f'got {part!r}',
                              'use a dict')
    paths = {
        name: dataset.get(name)
        for name in ('data_root', 'ann_file', 'bbox_file', 'headbox_file')
    }
    paths.update({
        f'data_prefix.{name}': path
        for name, path in (folders or {}).items()
    })
    for name, path in paths.items():
        if path is not None and not isinstance(path, str):
            raise ConfigError(f'{field}.{name}', f'got {path!r}',
                              'give a path')


def _is_understood(dataset: dict) -> bool:
    """Whether its class reads annotation files as MMPose's COCO's does."""
    cls = class_of(DATASETS, dataset)
    load = getattr(cls, '_load_annotations', None)
    return load in (BaseCocoStyleDataset._load_annotations,
                    MpiiDataset._load_annotations) and str(
                        dataset.get('ann_file')).endswith('.json')


def _check_annotations(dataset: dict, field: str, opens_images: bool):
    root = dataset.get('data_root') or ''
    path = osp.join(root, dataset['ann_file'])
    prefixes = dataset.get('data_prefix') or {}
    images = osp.join(root, prefixes.get('img') or '')
    if '://' in path or '://' in images:
        return
    report = check_annotation_file(path, f'{field}.ann_file', images,
                                   opens_images)
    if report.dropped:
        print(report)


def _paths_of(dataset: dict) -> Iterator[Tuple[str, str]]:
    if dataset.get('ann_file'):
        yield 'ann_file', dataset['ann_file']
    for key, path in (dataset.get('data_prefix') or {}).items():
        if path is not None:
            yield f'data_prefix.{key}', path


def check_evaluators(cfg: Config):
    """Check that the annotation files of the metrics exist."""
    for name in ('val_evaluator', 'test_evaluator'):
        for evaluator in as_list(cfg.get(name)):
            path = evaluator.get('ann_file')
            if path is not None and not isinstance(path, str):
                raise ConfigError(f'{name}.ann_file', f'got {path!r}',
                                  'give a path')
            if path and '://' not in path and not osp.exists(path):
                raise ConfigError(f'{name}.ann_file', f'no such path: {path}',
                                  'set it')


def as_list(configs) -> list:
    """Configs of which there may be one, several or none."""
    if isinstance(configs, (list, tuple)):
        return list(configs)
    return [] if configs is None else [configs]
