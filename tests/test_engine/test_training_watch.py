"""Runs that have stopped to train end."""

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS

from mmpose_raf.engine.training_watch import TrainingWatch
from mmpose_raf.errors import ConfigError, TrainingError
from mmpose_raf.federation import ClientUpdate, RoundReport
from tests.toy import ToyDataset, run, toy_clients, toy_config, toy_dataset


def round_of(*updates, too_few=None, **refused):
    report = RoundReport()
    report.updates = [
        ClientUpdate(name, dict(w=torch.ones(1)), 1) for name in updates
    ]
    report.refused = refused
    report.too_few = too_few
    return report


class TestWatch:

    def test_ordinary_rounds(self):
        watch = TrainingWatch(1)
        for number in range(1, 4):
            watch.end_round(round_of('a', 'b'), number)
        watch.end_training()

    def test_nobody_there(self):
        """By chance that can be."""
        watch = TrainingWatch(1)
        watch.end_round(round_of(), 1)
        watch.end_round(round_of('a'), 2)
        watch.end_training()

    @pytest.mark.parametrize('report', [round_of(),
                                        round_of('a', too_few=3)])
    def test_in_no_round(self, report):
        watch = TrainingWatch(1)
        for number in range(1, 4):
            watch.end_round(report, number)
        with pytest.raises(TrainingError, match='first ones'):
            watch.end_training()

    def test_all_refused(self):
        watch = TrainingWatch(9)
        with pytest.raises(TrainingError, match='round 7.*client a: bad'):
            watch.end_round(round_of(a='bad', b='worse'), 7)

    @pytest.mark.parametrize('limit', [1, 3])
    def test_one_refused(self, limit):
        watch = TrainingWatch(limit)
        for number in range(1, limit):
            watch.end_round(round_of('a', b='bad'), number)
        with pytest.raises(TrainingError, match=f'b was refused {limit} r'):
            watch.end_round(round_of('a', b='bad'), limit)

    def test_rounds_that_are_not_running(self):
        """A round without the client does not count, one with it does."""
        watch = TrainingWatch(2)
        for _ in range(3):
            watch.end_round(round_of('a', b='bad'), 1)
            watch.end_round(round_of('a', 'b'), 2)
        watch.end_round(round_of('a', b='bad'), 3)
        watch.end_round(round_of('a'), 4)
        with pytest.raises(TrainingError):
            watch.end_round(round_of('a', b='bad'), 5)


@DATASETS.register_module(force=True)
class SpoiltDataset(ToyDataset):
    """All keypoints are NaN, as of a broken annotation tool."""

    def load_data_list(self):
        samples = super().load_data_list()
        for sample in samples:
            sample['keypoints'] = np.full_like(sample['keypoints'], np.nan)
        return samples


def error_of(cfg):
    with pytest.raises(TrainingError) as error:
        run(cfg)
    assert '\n' not in str(error.value)
    return str(error.value)


def test_rate_that_spoils_all(tmp_path):
    cfg = toy_config(tmp_path,
                     num_samples=4,
                     optim_wrapper=dict(
                         optimizer=dict(type='SGD', lr=float('inf'))))
    assert 'round 1: every update was refused' in error_of(cfg)
    assert not list(tmp_path.glob('*.pth'))


def test_client_whose_data_spoil_it(tmp_path):
    """Till then the others are saved."""
    clients = [
        dict(client, dataset=dict(toy_dataset(3), type=kind)) for client, kind
        in zip(toy_clients('high', 'low'), ('ToyDataset', 'SpoiltDataset'))
    ]
    cfg = toy_config(tmp_path, clients=clients, rounds=4, max_refusals=2)
    message = error_of(cfg)
    assert 'round 2: client low was refused 2 rounds running' in message
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_1.pth']


def test_nobody_is_ever_there(tmp_path):
    cfg = toy_config(tmp_path,
                     num_samples=4,
                     participation=dict(presence=dict(
                         high=[(8, 9)], low=[(8, 9)])))
    assert 'participation' in error_of(cfg)


@pytest.mark.parametrize('value', [0, -1, 1.5, True, 'a', None])
def test_limit(tmp_path, value):
    with pytest.raises(ConfigError, match='federation.max_refusals'):
        run(toy_config(tmp_path, max_refusals=value))
