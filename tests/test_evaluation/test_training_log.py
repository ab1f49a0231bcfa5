"""Lines of clients among MMEngine's own."""

import math

from mmpose_raf.evaluation.training_log import read_training_log
from tests.test_evaluation.drift_results import write_log


def round_of(step, **losses):
    line = {f'{name}/loss': loss for name, loss in losses.items()}
    return dict(line, **{f'{name}/seconds': 2.5 for name in losses}, step=step)


def test_clients_and_features_are_read_and_nothing_else(tmp_path):
    write_log(tmp_path, '20260101_000000', [
        dict(lr=0.1, loss=7.0, epoch=1, iter=50, memory=1, step=50),
        round_of(1, high=0.5, low=0.75),
        {
            'features/moved': 0.25,
            'features/from_start': 0.25,
            'step': 1
        },
        {
            '128x96/PCK': 0.5,
            '64x48/PCK': 0.25,
            'trained/mean': 0.25,
            'step': 1
        },
        {
            'coco/AP': 0.5,
            'data_time': 0.1,
            'time': 0.2,
            'step': 1
        },
        {
            'step': 3
        },
        dict(round_of(2, low=0.5), **{'low/update_norm': 1.5}),
    ])
    assert read_training_log(tmp_path) == {
        'high': {
            'loss': [(1, 0.5)],
            'seconds': [(1, 2.5)]
        },
        'low': {
            'loss': [(1, 0.75), (2, 0.5)],
            'seconds': [(1, 2.5), (2, 2.5)],
            'update_norm': [(2, 1.5)]
        },
        'features': {
            'moved': [(1, 0.25)],
            'from_start': [(1, 0.25)]
        }
    }


def test_a_round_that_was_run_again_counts_once(tmp_path):
    # Written in the wrong order: the names tell the times.
    write_log(
        tmp_path, '20260102_000000',
        [round_of(2, high=0.2), round_of(3, high=0.3)])
    write_log(
        tmp_path, '20260101_000000',
        [round_of(1, high=9), round_of(2, high=9, low=9)])
    curves = read_training_log(tmp_path)
    assert curves['high']['loss'] == [(1, 9), (2, 0.2), (3, 0.3)]
    # That the client had part in the round that was lost does not count.
    assert 'low' not in curves


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    write_log(tmp_path, '20260101_000000', [round_of(1, high=float('nan'))])
    path = tmp_path / '20260101_000000/vis_data/scalars.json'
    path.write_text(path.read_text() + '{"high/loss": 0.')
    (step, loss), = read_training_log(tmp_path)['high']['loss']
    assert step == 1 and math.isnan(loss)


def test_a_folder_without_a_log_has_no_curves(tmp_path):
    assert read_training_log(tmp_path) == {}
