# Which levels a batch is trained at, for the computation of FedAvg, judged on
# the validation persons; starts where lsp_headline.py does.
_base_ = [
    '_base_/small_runs.py', '_base_/lsp_methods.py', '_base_/synthetic_sizes.py'
]

base = '../raf_lsp.py'
axes = dict(
    size=dict(vit64={{_base_.vit64}}),
    data=dict(
        finetuned=[
            {{_base_.finetuning}}, {{_base_.validation}},
            {{_base_.pretrained.fourier}}
        ]),
    encoding=dict(fourier={{_base_.fourier}}),
    training=dict(
        fedavg={{_base_.trainings.fedavg}},
        one_upward={{_base_.trainings.one_upward}},
        # Targets a third wider in the image: 1 px at 64x48 in place of 0.75.
        fedavg_wide=[{{_base_.trainings.fedavg}}, {
            'model.head.decoder.sigma': 2.
        }],
        one_upward_wide=[{{_base_.trainings.one_upward}}, {
            'model.head.decoder.sigma': 2.
        }],
        split={{_base_.trainings.split}},
        # 1.36 of FedAvg's rounds, for 0.98 of its computation.
        low_often=[{{_base_.trainings.low_often}}, {
            'train_cfg.max_epochs': 16,
            'train_cfg.val_interval': 16
        }],
        # A lower and a higher level more: 1.14 of FedAvg's computation.
        wide=[{{_base_.trainings.one_upward}}, {
            'model.ladder': [(120, 160), (96, 128), (72, 96), (48, 64),
                             (24, 32)],
            'train_cfg.max_epochs': 11
        }],
        # The native size and the lowest in every batch: 1.28.
        native_and_lowest=[{{_base_.trainings.ladder}}, {
            'model.ladder': [(48, 64)],
            'train_cfg.max_epochs': 9
        }],
        # All levels not above the native size, with a little distillation
        # from the highest: 1.59.
        distilled=[{{_base_.trainings.distilled}}, {
            'train_cfg.max_epochs': 8
        }],
        # 0.81 of FedAvg's computation in a round.
        one=[{{_base_.trainings.one}}, {
            'train_cfg.max_epochs': 15
        }]))
seeds = [0, 1]
