"""Each client's learning rates are those of its own stock MMEngine run."""

import pytest

from mmpose_raf.engine import FederatedTrainLoop
from tests.toy import OPTIMIZER, SIZES, Witness, hook_of, run, toy_config

WITNESS = dict(type='Witness')
ROUNDS = 5
# Two batches, one batch, three batches of three.
COUNTS = dict(a=6, b=3, c=9)

SCHEDULES = dict(
    single=dict(type='ExponentialLR', gamma=.5, by_epoch=True),
    epochs=[
        dict(type='MultiStepLR', milestones=[1, 3], gamma=.1, by_epoch=True)
    ],
    warm_up=[
        dict(type='LinearLR',
             start_factor=.001,
             begin=0,
             end=2,
             by_epoch=True,
             convert_to_iter_based=True),
        dict(type='MultiStepLR', milestones=[3, 4], gamma=.1, by_epoch=True)
    ],
    iterations=[
        dict(type='LinearLR', start_factor=.1, by_epoch=False, end=4),
        # The default end is the client's last iteration.
        dict(type='CosineAnnealingLR', by_epoch=False, begin=2, eta_min=1e-3)
    ],
    # Both act at once, and their steps do not commute.
    overlap=[
        dict(type='LinearLR', start_factor=.1, by_epoch=False, end=12),
        dict(type='CosineAnnealingLR',
             by_epoch=True,
             T_max=ROUNDS,
             eta_min=1e-3,
             convert_to_iter_based=True),
        dict(type='StepLR', step_size=2, gamma=.3, by_epoch=True)
    ],
)


def config(tmp_path, schedule, **options):
    return toy_config(tmp_path,
                      rounds=ROUNDS,
                      raf=False,
                      hooks=[WITNESS],
                      param_scheduler=SCHEDULES[schedule],
                      **options)


def lr_of_stock_run(tmp_path, schedule, num_samples, **options):
    """Learning rates of each epoch of a run that is not federated."""
    cfg = config(tmp_path, schedule, num_samples=num_samples, **options)
    cfg.custom_hooks.pop(0)
    runner = run(cfg)
    assert not isinstance(runner.train_loop, FederatedTrainLoop)
    return lr_by_round(runner)


def lr_by_round(runner, client=None):
    rates = {}
    for seen in hook_of(runner, Witness).iterations:
        if seen['client'] == client:
            rates.setdefault(seen['round'], []).append(seen['lr'])
    return rates


@pytest.mark.parametrize('schedule', SCHEDULES)
def test_learning_rates(tmp_path, schedule):
    """With all three clients in each round, and with one of them."""
    expected = {
        name: lr_of_stock_run(tmp_path / name, schedule, count)
        for name, count in COUNTS.items()
    }
    clients = [dict(name=name, input_size=SIZES['low']) for name in COUNTS]
    for fraction in (1., .34):
        runner = run(
            config(tmp_path / str(fraction),
                   schedule,
                   clients=clients,
                   num_samples=sum(COUNTS.values()),
                   participation=fraction,
                   partitioner=dict(type='RandomPartitioner',
                                    samples_per_client=list(COUNTS.values()))))
        absences = 0
        for name in COUNTS:
            got = lr_by_round(runner, name)
            absences += ROUNDS - len(got)
            for round_, rates in got.items():
                for rate, wanted in zip(rates, expected[name][round_]):
                    assert rate == pytest.approx(wanted, rel=1e-12)
                assert len(rates) == len(expected[name][round_])
        assert absences == ROUNDS * (3 - round(fraction * 3))
        # What is logged is what the active client trains with.
        for seen in hook_of(runner, Witness).iterations:
            assert seen['logged_lr'] == seen['lr'][0]


def test_local_epochs_count_as_one_round(tmp_path):
    """The schedule sees a longer epoch; its milestones are rounds."""
    expected = lr_of_stock_run(tmp_path / 'stock', 'warm_up', 2 * 6)
    runner = run(
        config(tmp_path,
               'warm_up',
               clients=('high', 'low'),
               num_samples=12,
               local_epochs=2))
    for name in ('high', 'low'):
        assert lr_by_round(runner, name) == expected


def test_layer_decay_and_momentum(tmp_path):
    """Every parameter group has a schedule, and not of lr alone."""
    wrapper = dict(constructor='ViTLayerDecayOptimWrapperConstructor',
                   optimizer=dict(OPTIMIZER),
                   paramwise_cfg=dict(layer_decay_rate=.5))
    expected = lr_of_stock_run(tmp_path / 'stock',
                               'warm_up',
                               6,
                               optim_wrapper=wrapper)
    runner = run(
        config(tmp_path,
               'warm_up',
               clients=('high', 'low'),
               num_samples=12,
               participation=.5,
               optim_wrapper=wrapper))
    assert len(set(expected[4][0])) > 2
    names = ('high', 'low')
    for name in names:
        for round_, rates in lr_by_round(runner, name).items():
            assert rates == expected[round_]
    assert sum(len(lr_by_round(runner, name)) for name in names) == ROUNDS


def test_scaled_learning_rate(tmp_path):
    """auto_scale_lr changes the rate that the schedules start from."""
    cfg = config(tmp_path, 'warm_up', num_samples=6)
    cfg.auto_scale_lr = dict(enable=True, base_batch_size=12)
    runner = run(cfg)
    by_client = [lr_by_round(runner, name) for name in ('high', 'low')]
    # One batch of 3 for 12: a quarter of 1e-2, in the third round.
    for rates in by_client:
        assert rates[2] == [[pytest.approx(2.5e-3)]]
        assert rates[3] == [[pytest.approx(2.5e-4)]]


def test_the_server_shows_the_schedule_of_the_rounds(tmp_path):
    """Between rounds, in checkpoints, and where no client is active."""
    runner = run(
        config(tmp_path, 'epochs', clients=('high', 'low'),
               participation=.5))
    assert runner.epoch == ROUNDS
    assert runner.optim_wrapper.get_lr()['lr'] == [pytest.approx(1e-4)]
    assert runner.optim_wrapper.optimizer.state_dict()['state'] == {}
