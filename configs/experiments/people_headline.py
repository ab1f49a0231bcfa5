# What MMPose's users have today, FedAvg with our encoding and targets, RAF as
# published and the default, on rendered people, from scratch, at the same
# computation.
_base_ = [
    '_base_/small_runs.py', '_base_/trainings.py', '_base_/synthetic_sizes.py'
]

base = '../raf_demo.py'
_short = {'train_cfg.max_epochs': 12, 'train_cfg.val_interval': 12}
seeds = [0, 1, 2]
axes = dict(
    size=dict(vit64={{_base_.vit64}}),
    data=dict(scratch=_short),
    training=dict(
        stock=[{{_base_.encodings.ape}}, {{_base_.trainings.fedavg_pixel}}],
        fedavg=[{{_base_.fourier}}, {{_base_.trainings.fedavg}}],
        # 1.59 of the others' computation in a round.
        paper=[
            {{_base_.encodings.gpe_lpe}}, {{_base_.trainings.paper}}, {
                'train_cfg.max_epochs': 8,
                'train_cfg.val_interval': 8
            }
        ],
        default=[
            {{_base_.fourier}}, {{_base_.trainings.one_upward}},
            {{_base_.fitted}}
        ]))
