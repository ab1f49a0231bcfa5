# What each part of the local training is worth, in the federation of
# synthetic_headline.py: one part changed at a time, and equal computation
# instead of equal rounds.
_base_ = ['_base_/trainings.py', '_base_/synthetic_sizes.py']

base = '../raf_demo.py'
axes = dict(
    encoding=dict(gpe_lpe={{_base_.encodings.gpe_lpe}}),
    training=dict(
        fedavg_pixel={{_base_.trainings.fedavg_pixel}},
        ladder={{_base_.trainings.ladder}},
        ladder_area={{_base_.trainings.ladder_area}},
        upward={{_base_.trainings.upward}},
        # The computation of distilled: 1.6 times that of fedavg in a round.
        fedavg_39_rounds=[{{_base_.trainings.fedavg}}, {
            'train_cfg.max_epochs': 39
        }],
        # The computation of upward: three times that of fedavg in a round.
        fedavg_72_rounds=[{{_base_.trainings.fedavg}}, {
            'train_cfg.max_epochs': 72
        }],
        # The computation of fedavg: one level a batch costs 0.81 of it.
        one_level_29_rounds=[{{_base_.trainings.one}}, {
            'train_cfg.max_epochs': 29
        }]))
