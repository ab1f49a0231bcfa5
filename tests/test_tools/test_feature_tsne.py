"""The command line of the feature map."""

import csv
import json
import logging
import sys
from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS

from mmpose_raf.commands import tsne
from mmpose_raf.evaluation.feature_clusters import silhouette_by_resolution
from mmpose_raf.evaluation.features import extract_features
from tests.test_tools.small_coco import write_config, write_data
from tests.tool_main import tool_main
from tests.toy import init_default_scope

pytest.importorskip('sklearn')

CALL = ['config.py', 'weights.pth', '-o', 'out', '--num-persons', '3']
# As many persons as the data has.
NUM_PERSONS = 7


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Data, a config and a checkpoint; the current folder."""
    write_data(tmp_path / 'data')
    write_config(tmp_path / 'config.py', tmp_path / 'data')
    save(tmp_path, tmp_path / 'weights.pth')
    monkeypatch.chdir(tmp_path)
    # MMEngine's logger keeps the stdout of the test that used it first.
    monkeypatch.setattr(logging, 'raiseExceptions', False)
    return tmp_path


def save(folder, path, seed=0, **backbone):
    """Save random weights of the config's model."""
    cfg = Config.fromfile(folder / 'config.py')
    cfg.model.backbone.arch.update(backbone)
    torch.manual_seed(seed)
    init_default_scope('mmpose')
    model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict()), path)
    return model


def main(monkeypatch, *arguments):
    """Call the command; return its exit code."""
    monkeypatch.setattr(tsne, 'get_device', lambda: 'cpu')
    return tool_main('tsne', monkeypatch, *arguments)


def read_rows():
    with open('out/feature_tsne.csv', newline='') as file:
        return list(csv.DictReader(file))


def test_results_hold_the_same_persons_at_every_size(monkeypatch, capfd,
                                                     folder):
    assert main(monkeypatch, *CALL) == 0
    results = json.loads(Path('out/feature_tsne.json').read_text())
    # The ladder's sizes.
    assert results['sizes'] == ['48x32', '64x48']
    persons = results['persons']
    assert len(set(persons)) == 3

    rows = read_rows()
    assert list(rows[0]) == ['person', 'size', 'kind', 'x', 'y']
    pooled = [(int(r['person']), r['size']) for r in rows
              if r['kind'] == 'pooled']
    assert pooled == [(person, size) for size in results['sizes']
                      for person in persons]
    dense = [r for r in rows if r['kind'] == 'dense']
    assert results['pooled']['rows'] == 6
    assert results['dense']['rows'] == len(dense) > 6
    assert len({(r['x'], r['y']) for r in dense}) > 6

    out = capfd.readouterr().out
    for kind in ('pooled', 'dense'):
        scores = results[kind]['silhouette']
        line, = [line for line in out.splitlines() if f'| {kind} ' in line]
        assert [cell.strip() for cell in line.split('|')[2:-1]] == [
            str(results[kind]['rows']), f'{scores["resolution"]:.3f}',
            f'{scores["person"]:.3f}'
        ]
    assert cv2.imread('out/feature_tsne.png').std() > 10


def test_scores_are_those_of_the_checkpoint(monkeypatch, folder):
    model = save(folder, folder / 'weights.pth', seed=7).eval()
    assert main(monkeypatch, *CALL) == 0
    results = json.loads(Path('out/feature_tsne.json').read_text())
    dataset = tsne.build_dataset(Config.fromfile('config.py'))
    sizes = [(32, 48), (48, 64)]
    rows = extract_features(model, dataset, results['persons'], sizes).pooled
    assert results['pooled']['silhouette']['resolution'] == pytest.approx(
        silhouette_by_resolution(rows))


@pytest.mark.slow
def test_the_seed_draws_the_persons(monkeypatch, folder):
    drawn = []
    for seed in (0, 0, 1, 2):
        assert main(monkeypatch, *CALL, '--seed', seed) == 0
        drawn.append((Path('out/feature_tsne.json').read_text(),
                      Path('out/feature_tsne.csv').read_text()))
    assert drawn[0] == drawn[1]
    persons = {tuple(json.loads(text)['persons']) for text, _ in drawn}
    assert len(persons) > 1


def test_sizes_of_the_command_line(monkeypatch, folder):
    assert main(monkeypatch, *CALL, '--input-sizes', '80x64', '64x48',
                '80x64') == 0
    results = json.loads(Path('out/feature_tsne.json').read_text())
    assert results['sizes'] == ['64x48', '80x64']


def test_one_size_has_no_score_by_resolution(monkeypatch, capfd, folder):
    call = [*CALL[:-1], '4', '--input-sizes', '64x48']
    assert main(monkeypatch, *call) == 0
    results = json.loads(Path('out/feature_tsne.json').read_text())
    assert results['dense']['silhouette']['resolution'] is None
    line, = [
        line for line in capfd.readouterr().out.splitlines()
        if '| dense ' in line
    ]
    assert line.split('|')[3].strip() == '-'


def test_boxes_of_a_detector_are_not_used(monkeypatch, folder):
    """They have no keypoints; the file does not even exist."""
    assert main(monkeypatch, *CALL, '--cfg-options',
                'val_dataloader.dataset.bbox_file=boxes.json') == 0


ERRORS = {
    'config': (['no.py', *CALL[1:]], 'config', 'no such file: no.py'),
    'checkpoint': ([CALL[0], 'no.pth', *CALL[2:]], 'checkpoint',
                   'no such file: no.pth'),
    'annotations': ([*CALL, '--cfg-options',
                     'val_dataloader.dataset.ann_file=no.json'],
                    'val_dataloader.dataset', 'no.json'),
    'images': ([*CALL, '--cfg-options',
                'val_dataloader.dataset.data_prefix.img=no'],
               'val_dataloader.dataset', 'no/'),
    'no data': ([*CALL, '--cfg-options', 'val_dataloader='], 'val_dataloader',
                'missing'),
    'option': ([*CALL, '--cfg-options', 'custom_hooks.7.seed=1'],
               '--cfg-options', '7'),
    'syntax of a size': ([*CALL, '--input-sizes', '64'], '--input-sizes',
                         "got '64'"),
    'size of nothing': ([*CALL, '--input-sizes', '0x48'], '--input-sizes',
                        "got '0x48'"),
    'patch': ([*CALL, '--input-sizes', '64x48', '60x48'], '--input-sizes',
              '60x48'),
    'no ladder': ([*CALL, '--cfg-options', 'model.ladder=[]',
                   'model.distill=None'], '--input-sizes', 'no ladder'),
    'one person': ([*CALL[:-1], '1'], '--num-persons', 'got 1'),
    'more persons than there are':
    ([*CALL[:-1], '1000'], '--num-persons', f'to {NUM_PERSONS}'),
    'seed': ([*CALL, '--seed', '-1'], '--seed', 'got -1'),
    'too few rows': ([*CALL, '--input-sizes', '64x48'], 'features',
                     'there are 3 rows'),
    'folder': ([*CALL[:3], 'config.py', *CALL[4:]], '--out-dir',
               'config.py'),
}


@pytest.mark.parametrize('name', ERRORS)
def test_errors_are_one_line(monkeypatch, capfd, folder, name):
    arguments, field, fragment = ERRORS[name]
    assert_refused(monkeypatch, capfd, arguments, field, fragment)


def assert_refused(monkeypatch, capfd, arguments, field, fragment):
    """It says what is wrong in one line, and writes nothing."""
    assert main(monkeypatch, *arguments) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith(f'error: {field}: ')
    assert fragment in lines[0]
    assert not Path('out').exists()


@pytest.mark.parametrize('backbone, fragment', [
    (dict(num_layers=1), 'are missing, e.g. backbone.layers.1.'),
    (dict(num_layers=3), 'are not in the model, e.g. backbone.layers.2.'),
    (dict(embed_dims=32), 'have another shape, e.g. backbone.'),
])
def test_checkpoint_of_another_architecture(monkeypatch, capfd, folder,
                                            backbone, fragment):
    save(folder, folder / 'weights.pth', **backbone)
    assert_refused(monkeypatch, capfd, CALL, 'checkpoint', fragment)


def test_what_is_no_checkpoint(monkeypatch, capfd, folder):
    (folder / 'weights.pth').write_text('weights')
    assert_refused(monkeypatch, capfd, CALL, 'weights.pth',
                   'cannot be read as a checkpoint')
    torch.save(dict(epoch=3), 'weights.pth')
    assert_refused(monkeypatch, capfd, CALL, 'weights.pth',
                   'holds no weights')
    torch.save([1, 2], 'weights.pth')
    assert_refused(monkeypatch, capfd, CALL, 'weights.pth',
                   'holds a list')


def test_weights_of_a_wrapped_model(monkeypatch, folder):
    state = torch.load('weights.pth', weights_only=True)['state_dict']
    torch.save({f'module.{key}': state[key] for key in state}, 'weights.pth')
    assert main(monkeypatch, *CALL) == 0


def test_without_scikit_learn(monkeypatch, capfd, folder):
    for name in list(sys.modules):
        if name.split('.')[0] == 'sklearn':
            monkeypatch.setitem(sys.modules, name, None)
    assert_refused(monkeypatch, capfd, CALL, 'scikit-learn',
                   'pip install scikit-learn')
