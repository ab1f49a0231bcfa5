# Until the validation no longer improves, on photographs with little data: 100
# persons a client. The rate is constant and the weights are averaged over
# time, so that every validation shows what a training of that length gives.
#   python tools/run_experiments.py configs/experiments/people_pretraining.py
#   python tools/run_experiments.py configs/experiments/lsp_converged.py
_base_ = [
    '_base_/small_runs.py', '_base_/lsp_methods.py', '_base_/synthetic_sizes.py'
]

base = '../raf_lsp.py'
_long = {
    'federation.partitioner.samples_per_client': 100,
    'train_cfg.max_epochs': 120,
    'train_cfg.val_interval': 10,
    'optim_wrapper.optimizer.lr': 1e-3,
    'param_scheduler': [
        dict(
            type='LinearLR',
            start_factor=0.001,
            begin=0,
            end=1,
            by_epoch=True,
            convert_to_iter_based=True)
    ],
    'custom_hooks': [
        dict(type='SyncBuffersHook'),
        dict(type='FederatedHook'),
        # Over 250 iterations, six rounds.
        dict(type='EMAHook', momentum=0.004, update_buffers=True),
        dict(type='ComputationHook')
    ],
    # Half of the validation persons, at half the lowest trained size, the
    # lowest, the highest, and twice the highest.
    'val_dataloader.dataset.indices': list(range(4000, 4250)),
    'val_cfg': dict(
        type='MultiResolutionValLoop',
        input_sizes=[(24, 32), (48, 64), (96, 128), (192, 256)])
}
seeds = [0, 1, 2]
axes = dict(
    size=dict(vit64={{_base_.vit64}}),
    data=dict(few=_long),
    training=dict(
        stock={{_base_.methods.stock}},
        fedavg={{_base_.methods.fedavg}},
        # The computation of 120 rounds of the others, or nearly.
        paper=[
            {{_base_.encodings.gpe_lpe}}, {{_base_.trainings.paper}},
            {{_base_.pretrained.gpe_lpe}}, {
                'train_cfg.max_epochs': 80
            }
        ],
        default={{_base_.methods.default}},
        # 0.99 each.
        stock_one_size=[
            {{_base_.encodings.ape}}, {{_base_.trainings.fedavg_pixel}},
            {{_base_.pretrained.ape}}, {{_base_.one_size}}, {
                'train_cfg.max_epochs': 72
            }
        ],
        fedavg_one_size=[
            {{_base_.fourier}}, {{_base_.trainings.fedavg}},
            {{_base_.pretrained.fourier}}, {{_base_.one_size}}, {
                'train_cfg.max_epochs': 72
            }
        ],
        # 0.98.
        low_often=[
            {{_base_.fourier}}, {{_base_.trainings.low_often}},
            {{_base_.fitted}}, {{_base_.pretrained.fourier}}, {
                'train_cfg.max_epochs': 160
            }
        ]))
