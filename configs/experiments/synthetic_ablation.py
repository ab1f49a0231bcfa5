# What each part of the local training is worth, in the federation of
# synthetic_headline.py.
_base_ = ['_base_/trainings.py', '_base_/synthetic_sizes.py']

base = '../raf_demo.py'
axes = dict(
    training=dict(
        fedavg_pixel={{_base_.trainings.fedavg_pixel}},
        ladder_area={{_base_.trainings.ladder_area}},
        ladder={{_base_.trainings.ladder}},
        one_level={
            'model.distill': None,
            'model.levels': 'one'
        },
        fedavg_three_times={
            **{
                'model.ladder': [],
                'model.distill': None
            }, 'train_cfg.max_epochs': 72
        }))
