# Which levels a batch is trained at, for the computation of FedAvg, judged on
# the validation persons; starts where lsp_headline.py does.
_base_ = [
    '_base_/small_runs.py', '_base_/trainings.py', '_base_/synthetic_sizes.py'
]

base = '../raf_lsp.py'
_start = {
    'load_from':
    'work_dirs/experiments/people_pretraining/'
    'vit64-turned-fourier-fedavg-seed0/epoch_12.pth'
}
axes = dict(
    size=dict(vit64={{_base_.vit64}}),
    data=dict(
        finetuned=[{{_base_.finetuning}}, {{_base_.validation}}, _start]),
    encoding=dict(fourier={{_base_.fourier}}),
    training=dict(
        fedavg={{_base_.trainings.fedavg}},
        one_upward={{_base_.trainings.one_upward}},
        # 0.81 of FedAvg's computation in a round.
        one=[{{_base_.trainings.one}}, {
            'train_cfg.max_epochs': 15
        }]))
