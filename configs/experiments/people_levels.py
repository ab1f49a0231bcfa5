# Which levels a batch is trained at, for the computation of FedAvg, as in the
# demo, judged on other persons than the demo's.
_base_ = ['_base_/trainings.py', '_base_/synthetic_sizes.py']

base = '../raf_demo.py'
_short = {'train_cfg.max_epochs': 12, 'train_cfg.val_interval': 12}
axes = dict(
    data=dict(validation={
        'test_dataloader.dataset.seed': 3,
        'model.backbone.pos_embed': 'fourier',
        'model.backbone.lpe': False
    }),
    training=dict(
        fedavg=[{{_base_.trainings.fedavg}}, _short],
        one_upward=[{{_base_.trainings.one_upward}}, _short],
        # 1.36 of FedAvg's rounds, for 0.98 of its computation.
        low_often=[{{_base_.trainings.low_often}}, {
            'train_cfg.max_epochs': 16,
            'train_cfg.val_interval': 16
        }]))
seeds = [0, 1]
