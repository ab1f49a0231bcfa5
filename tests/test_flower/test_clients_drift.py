"""Clients measure their own images at many sizes; the server reports it."""

import pytest

from mmpose_raf.evaluation.drift_result import DriftResult
from mmpose_raf.flower.clients_val_loop import mean_by_samples
from mmpose_raf.visualization.drift_report import write_report
from tests.test_flower.deployed import deploy, grid_of
from tests.toy import toy_config

SIZES = [(48, 64), (32, 48), (16, 32)]


@pytest.fixture(scope='module')
def deployed(tmp_path_factory):
    """A round, and its evaluation by clients of four persons and of one."""
    folder = tmp_path_factory.mktemp('deployed')
    cfg = toy_config(folder / 'simulated', rounds=1, val=True)
    cfg.val_cfg = dict(type='MultiResolutionValLoop', input_sizes=SIZES)
    grid = grid_of(cfg, folder)
    for (_, node), count in zip(grid.clients.values(), (4, 1)):
        data = folder / f'{count}.py'
        data.write_text('val_dataloader = dict(dataset=dict('
                        f'num_samples={count}))')
        node['data'] = str(data)
    runner = deploy(cfg, folder, grid, evaluate='clients')
    return folder, runner


def logged(runner, name):
    return runner.message_hub.get_scalar(f'val/{name}').current()


def test_means_and_clients_stand_in_the_result(deployed):
    folder, runner = deployed
    result = DriftResult.load(folder / 'server/drift.json')
    assert result.input_sizes == SIZES and result.num_samples == 5
    assert result.key_metric == 'score'
    for size, name in zip(SIZES, ('64x48', '48x32', '32x16')):
        own = [logged(runner, f'{client}/{name}/score')
               for client in ('high', 'low')]
        assert own[0] != own[1]
        assert result.accuracy[size] == pytest.approx(
            (4 * own[0] + own[1]) / 5)
    values = result.accuracy.values()
    assert result.summary['drift'] == pytest.approx(
        max(values) - min(values))
    # Each at its own resolution.
    assert [(found.name, found.view.name, found.num_samples,
             found.metrics['score']) for found in result.clients] == [
                 ('high', '64x48', 4, logged(runner, 'high/64x48/score')),
                 ('low', '32x16', 1, logged(runner, 'low/32x16/score'))
             ]


def test_the_report_is_written_from_it(deployed, tmp_path):
    folder, _ = deployed
    result = DriftResult.load(folder / 'server/drift.json')
    write_report([result], {result.name: folder / 'server'}, tmp_path / 'out')
    report = (tmp_path / 'out/report.md').read_text()
    for word in ('high', 'low', '64x48', 'drift'):
        assert word in report


def test_means_are_by_samples():
    means = mean_by_samples(
        dict(a=(dict(x=1., y=5.), 3), b=(dict(x=3.), 1)))
    assert means == {'a/x': 1., 'a/y': 5., 'b/x': 3., 'x': 1.5, 'y': 5.}
