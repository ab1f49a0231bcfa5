# The paper's matrix on rendered people, with an eighth of the demo's training,
# so that all 72 runs take half an hour or so on two cores.
_base_ = ['_base_/trainings.py', '_base_/synthetic_federations.py']

base = '../raf_demo.py'
axes = dict(
    encoding={{_base_.encodings}},
    training=dict(
        single={{_base_.trainings.fedavg}},
        multi={{_base_.trainings.ladder_area}},
        raf={{_base_.trainings.distilled}}),
    federation={{_base_.federations}},
    budget=dict(
        short={
            'train_cfg.max_epochs': 6,
            'train_cfg.val_interval': 6,
            'train_dataloader.dataset.num_samples': 600,
            'test_dataloader.dataset.num_samples': 200
        }))
