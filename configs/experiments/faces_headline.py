# What MMPose's users have today, FedAvg with our encoding and targets, and the
# default, on real faces of other people than in training, from scratch.
_base_ = ['_base_/small_runs.py', '_base_/trainings.py']

base = '../raf_vit_faces68.py'
_short = {
    'model.backbone.patch_size': 8,
    'model.backbone.drop_path_rate': 0.,
    'model.head.deconv_kernel_sizes': (4, ),
    'train_dataloader.batch_size': 8,
    'federation.partitioner.samples_per_client': 200,
    'train_cfg.max_epochs': 16,
    'train_cfg.val_interval': 16,
    'optim_wrapper.optimizer.lr': 2e-3,
    'optim_wrapper.optimizer.weight_decay': 0.05
}
# Every face enlarged to the highest size, for training and prediction.
_one_size = {
    'federation.clients': [
        dict(name='high', input_size=(128, 128)),
        dict(name='mid', input_size=(128, 128), capture_size=(96, 96)),
        dict(name='low', input_size=(128, 128), capture_size=(64, 64))
    ],
    'model.ladder': [(128, 128)],
    'model.test_cfg.fit_to_ladder':
    'highest',
    'train_cfg.max_epochs':
    10,
    'train_cfg.val_interval':
    10
}
input_sizes = [(32, 32), (64, 64), (96, 96), (128, 128), (192, 192),
               (256, 256)]
seeds = [0, 1, 2]
axes = dict(
    size=dict(vit64={{_base_.vit64}}),
    data=dict(scratch=_short),
    training=dict(
        stock=[{{_base_.encodings.ape}}, {{_base_.trainings.fedavg_pixel}}],
        # 1.59 of the others' computation in a round.
        paper=[
            {{_base_.encodings.gpe_lpe}}, {{_base_.trainings.paper}}, {
                'train_cfg.max_epochs': 10,
                'train_cfg.val_interval': 10
            }
        ],
        fedavg=[{{_base_.fourier}}, {{_base_.trainings.fedavg}}],
        # 1.03 each.
        stock_one_size=[
            {{_base_.encodings.ape}}, {{_base_.trainings.fedavg_pixel}},
            _one_size
        ],
        fedavg_one_size=[
            {{_base_.fourier}}, {{_base_.trainings.fedavg}}, _one_size
        ],
        default=[
            {{_base_.fourier}}, {{_base_.trainings.one_upward}},
            {{_base_.fitted}}
        ],
        # 1.01.
        low_often=[
            {{_base_.fourier}}, {{_base_.trainings.low_often}},
            {{_base_.fitted}}, {
                'train_cfg.max_epochs': 22,
                'train_cfg.val_interval': 22
            }
        ]))
