# The methods of the demo and others, with several seeds.
#   python tools/run_experiments.py configs/experiments/people_headline.py
_base_ = ['_base_/trainings.py', '_base_/synthetic_sizes.py']

base = '../raf_demo.py'
_short = {'train_cfg.max_epochs': 12, 'train_cfg.val_interval': 12}
_shorter = {'train_cfg.max_epochs': 7, 'train_cfg.val_interval': 7}
seeds = [0, 1, 2]
axes = dict(
    training=dict(
        stock=[
            {{_base_.encodings.ape}}, {{_base_.trainings.fedavg_pixel}}, _short
        ],
        # 1.06 of the others' computation.
        paper=[
            {{_base_.encodings.gpe_lpe}}, {{_base_.trainings.paper}}, {
                'train_cfg.max_epochs': 8,
                'train_cfg.val_interval': 8
            }
        ],
        fedavg=[{{_base_.fourier}}, {{_base_.trainings.fedavg}}, _short],
        # 0.97 each.
        stock_one_size=[
            {{_base_.encodings.ape}}, {{_base_.trainings.fedavg_pixel}},
            {{_base_.one_size}}, _shorter
        ],
        fedavg_one_size=[
            {{_base_.fourier}}, {{_base_.trainings.fedavg}},
            {{_base_.one_size}}, _shorter
        ],
        default=[
            {{_base_.fourier}}, {{_base_.trainings.one_upward}},
            {{_base_.fitted}}, _short
        ],
        # 0.98.
        low_often=[
            {{_base_.fourier}}, {{_base_.trainings.low_often}},
            {{_base_.fitted}}, {
                'train_cfg.max_epochs': 16,
                'train_cfg.val_interval': 16
            }
        ]))
