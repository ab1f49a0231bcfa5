"""Each benchmark measures something, in settings that take seconds."""

import math
import sys

import pytest

from benchmarks import (aggregation, baseline_step, data_loading, evaluation,
                        local_step, many_clients, mfu, parallel_clients,
                        round)
from benchmarks.measuring import run_benchmark
from mmpose_raf.errors import ConfigError


def measure(benchmark, *args):
    """Rows of a benchmark by name."""
    rows = benchmark.measure(
        benchmark.parse_args(['--repeats', '1', *map(str, args)]))
    names = [row.name for row in rows]
    assert len(set(names)) == len(names), 'rows of one name'
    for row in rows:
        if not isinstance(row.value, str):
            assert math.isfinite(row.value), row
    return {row.name: row for row in rows}


def test_local_step_measures_each_ladder():
    rows = measure(local_step, '--arch', 'micro', '--levels', 1, 3,
                   '--batch-size', 2, '--no-memory', '--passes', 'joint',
                   'in_turn')
    for passes in ('joint', 'in_turn'):
        assert rows[f'micro fp32 3 levels {passes}, speed'].value > 0
        assert f'micro fp32 3 levels {passes}, time of 1 level' in rows
    assert 'micro fp32 1 levels, speed' in rows
    assert local_step.token_ratio('micro', 3) == 1 + 9 / 16 + 1 / 4


def test_local_step_in_half_precision():
    measure(local_step, '--arch', 'micro', '--levels', 2, '--batch-size', 2,
            '--no-memory', '--amp', 'bf16')


@pytest.mark.slow
def test_local_step_measures_memory():
    rows = measure(local_step, '--arch', 'micro', '--levels', 1,
                   '--batch-size', 2)
    assert rows['micro fp32 1 levels, peak memory'].value > rows[
        'libraries alone, peak memory'].value > 0


def test_data_loading_measures_each_source():
    rows = measure(data_loading, '--arch', 'micro', '--batch-size', 2,
                   '--samples', 2, '--steps', 1, '--workers', 0)
    assert rows['rendered, samples of one worker'].value > 0
    assert 0 < rows['rendered, micro fp32, 0 workers, waiting'].value < 100
    assert rows['rendered, TopdownAffine'].unit == 'ms/sample'


@pytest.mark.parametrize('amp', ['fp32', 'bf16'])
def test_evaluation_measures_prediction_decoding_and_metrics(amp):
    rows = measure(evaluation, '--arch', 'micro', '--batch-size', 1, 2,
                   '--amp', amp)
    for size in (1, 2):
        name = f'micro {amp}, batch of {size}'
        for flip in ('joint flip', 'two passes'):
            assert rows[f'{name}, prediction, {flip}'].unit == 'samples/s'
        for part in ('decoding', "decoding by MMPose's codec", 'PCKAccuracy',
                     'NME'):
            assert rows[f'{name}, {part}'].value > 0
        for part in ('decoding', 'metrics'):
            share = rows[f'{name}, {part}, share of an evaluation']
            assert 0 < share.value < 100


@pytest.mark.slow
@pytest.mark.parametrize('keeping', ['updates', 'nothing'])
def test_many_clients_runs_in_its_own_process(keeping):
    rows = measure(many_clients, '--clients', 2, 4, '--samples', 4, '--rounds',
                   1, '--keeping', keeping)
    assert rows[f'micro, 4 clients, {keeping}, round'].value > 0


def test_more_clients_than_samples_are_refused():
    with pytest.raises(ConfigError, match='--samples'):
        measure(many_clients, '--clients', 5, '--samples', 4)


@pytest.mark.slow
def test_parallel_clients_are_compared_with_one_process():
    rows = measure(parallel_clients, '--arch', 'micro', '--clients', 2,
                   '--samples', 1, '--rounds', 2, '--repeats', 1)
    assert [name.split(', ', 2)[2] for name in rows] == [
        'one process, round', '2 processes sharing batches, round',
        '2 processes sharing batches, speed of one process',
        '2 processes sharing clients, round',
        '2 processes sharing clients, speed of one process'
    ]
    alone, _, _, shared, ratio = (row.value for row in rows.values())
    assert ratio == pytest.approx(alone / shared)


def test_more_processes_than_clients_are_refused():
    with pytest.raises(ConfigError, match='--processes'):
        measure(parallel_clients, '--clients', 2, '--processes', 3)


def test_round_shares_add_up():
    rows = measure(round, '--arch', 'micro', '--samples', 2, '--val-samples',
                   2, '--batch-size', 2, '--scale-to', 20)
    shares = [
        row.value for name, row in rows.items()
        if name.startswith('micro fp32, states on cpu, ') and row.unit == '%'
        and 'computed' not in row.note
    ]
    assert sum(shares) == pytest.approx(100)
    # Each of these must have been seen, whatever the hook calls them.
    for part in ('training steps', 'waiting for data', 'switch to client',
                 'weights to the model', 'weights from the model',
                 'check updates', 'compare updates', 'aggregation',
                 'evaluation'):
        assert rows[f'micro fp32, states on cpu, {part}'].value > 0
    computed = rows['micro fp32, states on cpu, 20 samples, round']
    assert computed.note == 'computed'


def test_scaling_multiplies_what_grows():
    assert round.scale({'training steps': 2., 'evaluation': 3.}, 10) == {
        'training steps': 20., 'evaluation': 3.}


@pytest.mark.parametrize('clients', [2, 5])
def test_aggregation_measures_each_rule(clients):
    rows = measure(aggregation, '--arch', 'micro', '--clients', clients)
    names = set(aggregation.list_rules(clients))
    assert ('Krum' in names) == (clients == 5)
    for name in (*names, 'torch copy_', 'mean key by key'):
        assert rows[f'micro, {clients} clients, {name}, rate'].value > 0


def test_the_baseline_has_the_same_loss():
    # It asserts that itself, for levels, targets, attention and losses.
    rows = measure(baseline_step, '--arch', 'micro', '--batch-size', 2)
    name = 'micro fp32 loss, {}, relative difference'
    assert rows[name.format("project's levels")].value < 1e-6
    assert rows[name.format('own levels')].value < 1e-4
    assert 'micro fp32, levels + step, baseline / project' in rows
    # Same frame: OpenCV's places are off by 1/64 pixel at most.
    assert rows['micro images 64x48, largest difference'].value < 255 / 32


@pytest.mark.parametrize(
    'arch', ['micro', pytest.param('base', marks=pytest.mark.slow)])
def test_flops_by_hand_are_those_of_torch(arch):
    step = mfu.LocalStep(arch, 3, 'fp32', 2, mfu.torch.device('cpu'))
    by_hand = sum(mfu.count_by_hand(step.model, step.levels, 2).values())
    # But for the groups that torch's counter does not see.
    excess = mfu.overcount(step.model, step.levels, 2)
    assert by_hand == mfu.count_by_torch(step) - excess


def test_mfu_is_a_share():
    rows = measure(mfu, '--arch', 'micro', '--matrix', 64)
    assert rows['micro fp32 step, by hand'].value > 0
    assert 'micro fp32 step, MFU' in rows


def test_a_missing_device_is_one_line_and_exit_code_2(capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['mfu', '--device', 'nonsense'])
    assert run_benchmark(mfu.parse_args, mfu.measure) == 2
    assert capsys.readouterr().err.count('\n') == 1
