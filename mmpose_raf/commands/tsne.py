"""Show whether a model's features cluster by resolution or by person.

The same persons of the validation data are cropped at several input sizes;
the backbone's features are scored (silhouette) and drawn (t-SNE). Writes
feature_tsne.png, feature_tsne.json and feature_tsne.csv.
"""

import argparse
import csv
import json
from pathlib import Path
from typing import Dict, List, Optional

import numpy as np
from mmengine.config import Config, DictAction
from mmengine.dataset import BaseDataset
from mmengine.device import get_device
from mmengine.registry import DATASETS, MODELS, init_default_scope
from torch import nn

from mmpose_raf.config_file import merge_options, read_config
from mmpose_raf.errors import ConfigError, describe_error, make_folder
from mmpose_raf.evaluation.feature_clusters import Embedding, embed_rows
from mmpose_raf.evaluation.features import extract_features
from mmpose_raf.models.ladder import check_backbone_takes
from mmpose_raf.models.model_checkpoint import load_weights
from mmpose_raf.sizes import Size, parse_size, size_name
from mmpose_raf.tables import render_table
from mmpose_raf.visualization.feature_embedding import plot_feature_embedding

NAME = 'feature_tsne'


def add_arguments(parser: argparse.ArgumentParser):
    """Add the arguments of the command."""
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', help='path of the checkpoint')
    parser.add_argument('-o',
                        '--out-dir',
                        required=True,
                        help='where the files go')
    parser.add_argument(
        '--input-sizes',
        nargs='+',
        metavar='HxW',
        help='input sizes, e.g. 64x48 128x96 (default: those of the ladder)')
    parser.add_argument(
        '--num-persons',
        type=int,
        default=40,
        help='persons, drawn from the validation data (default: 40)')
    parser.add_argument('--seed',
                        type=int,
                        default=0,
                        help='seed of the draw and of the t-SNE (default: 0)')
    parser.add_argument('--cfg-options',
                        nargs='+',
                        action=DictAction,
                        default={},
                        help='fields of the config to change, key=value')


def load_config(path: str, options: dict) -> Config:
    """Load a config that has a model and validation data."""
    cfg = read_config(path)
    merge_options(cfg, options, '--cfg-options')
    for field in ('model', 'val_dataloader'):
        if not cfg.get(field):
            raise ConfigError(field, 'it is missing', 'add it, see configs/')
    return cfg


def load_model(cfg: Config, path: str) -> nn.Module:
    """Build the model and load all of its weights."""
    model = MODELS.build(cfg.model)
    load_weights(model, path)
    return model.to(get_device()).eval()


def parse_sizes(texts: Optional[List[str]], model: nn.Module) -> List[Size]:
    """Sizes (w, h) from HxW, or those of the model's ladder.

    Returns:
        list[tuple[int, int]]: Different sizes, from low to high.
    """
    if texts is None:
        sizes = list(getattr(model, 'ladder', ()))
        if not sizes:
            raise ConfigError('--input-sizes', 'the model has no ladder',
                              'give sizes as HxW, e.g. 64x48 128x96')
    else:
        sizes = [parse_size(text, '--input-sizes') for text in texts]
    for size in sizes:
        check_backbone_takes(model.backbone, size, '--input-sizes')
    return sorted(set(sizes))


def build_dataset(cfg: Config) -> BaseDataset:
    """Build the validation data with the annotated persons."""
    dataset = dict(cfg.val_dataloader.dataset, test_mode=True)
    # Boxes of a detector come without keypoints.
    dataset.pop('bbox_file', None)
    try:
        return DATASETS.build(dataset)
    # The latter is how MMPose tells of a missing annotation file.
    except (FileNotFoundError, AssertionError) as error:
        raise _missing_data(error) from None


def draw_persons(dataset: BaseDataset, number: int, seed: int) -> List[int]:
    """Draw different persons; return their indices in rising order."""
    if not 2 <= number <= len(dataset):
        raise ConfigError(
            '--num-persons',
            f'got {number}, and the data has {len(dataset)} persons',
            f'choose from 2 to {len(dataset)}'
            if len(dataset) > 1 else 'take data with two or more')
    if seed < 0:
        raise ConfigError('--seed', f'got {seed}', 'use 0 or more')
    drawn = np.random.default_rng(seed).choice(len(dataset),
                                               number,
                                               replace=False)
    return sorted(drawn.tolist())


def write_results(embeddings: Dict[str, Embedding], sizes: List[Size],
                  persons: List[int], out_dir: Path):
    """Write picture, scores and points."""
    names = [size_name(size) for size in sizes]
    plot_feature_embedding(embeddings, sizes, out_dir / f'{NAME}.png')
    scores = {
        kind:
        dict(rows=len(embedding.rows),
             silhouette=dict(resolution=embedding.by_resolution,
                             person=embedding.by_person))
        for kind, embedding in embeddings.items()
    }
    (out_dir / f'{NAME}.json').write_text(
        json.dumps(dict(sizes=names, persons=persons, **scores), indent=2))
    with open(out_dir / f'{NAME}.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['person', 'size', 'kind', 'x', 'y'])
        for kind, embedding in embeddings.items():
            rows = embedding.rows
            for person, size, (x, y) in zip(rows.persons, rows.sizes,
                                            embedding.points):
                writer.writerow(
                    [person, names[size], kind, f'{x:.6g}', f'{y:.6g}'])


def main(args: argparse.Namespace):
    """Extract, embed, write and print."""
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    model = load_model(cfg, args.checkpoint)
    sizes = parse_sizes(args.input_sizes, model)
    dataset = build_dataset(cfg)
    persons = draw_persons(dataset, args.num_persons, args.seed)
    try:
        features = extract_features(model, dataset, persons, sizes)
    except FileNotFoundError as error:
        raise _missing_data(error) from None
    embeddings = {
        kind: embed_rows(getattr(features, kind), args.seed)
        for kind in ('pooled', 'dense')
    }
    out_dir = Path(args.out_dir)
    make_folder(out_dir, '--out-dir')
    write_results(embeddings, sizes, persons, out_dir)
    print(
        render_table(['features', 'rows', 'by resolution', 'by person'], [[
            kind,
            str(len(embedding.rows)),
            _format(embedding.by_resolution),
            _format(embedding.by_person)
        ] for kind, embedding in embeddings.items()]))
    print(f'Silhouette scores, -1 to 1. Picture: {out_dir / NAME}.png')


def _missing_data(error: Exception) -> ConfigError:
    return ConfigError('val_dataloader.dataset', describe_error(error),
                       'set its paths')


def _format(score: Optional[float]) -> str:
    return '-' if score is None else f'{score:.3f}'
