# What MMPose's users have today (ViTPose's learned embedding, sigma of 2 px in
# every heatmap), FedAvg with our encoding and targets, and the default, in one
# federation on photographs and for the same computation:
#   python tools/run_experiments.py configs/experiments/people_pretraining.py
#   python tools/run_experiments.py configs/experiments/lsp_headline.py
_base_ = [
    '_base_/small_runs.py', '_base_/lsp_methods.py', '_base_/synthetic_sizes.py'
]

base = '../raf_lsp.py'
seeds = [0, 1, 2]
axes = dict(
    size=dict(vit64={{_base_.vit64}}),
    data=dict(finetuned={{_base_.finetuning}}),
    training=dict(
        stock={{_base_.methods.stock}},
        fedavg={{_base_.methods.fedavg}},
        # 1.59 of the others' computation in a round: 8 rounds cost 1.06 of
        # their 12.
        paper=[
            {{_base_.encodings.gpe_lpe}}, {{_base_.trainings.paper}},
            {{_base_.pretrained.gpe_lpe}}, {
                'train_cfg.max_epochs': 8
            }
        ],
        default={{_base_.methods.default}},
        # 0.97 each.
        stock_one_size=[
            {{_base_.encodings.ape}}, {{_base_.trainings.fedavg_pixel}},
            {{_base_.pretrained.ape}}, {{_base_.one_size}}, {
                'train_cfg.max_epochs': 7,
                'train_cfg.val_interval': 7
            }
        ],
        fedavg_one_size=[
            {{_base_.fourier}}, {{_base_.trainings.fedavg}},
            {{_base_.pretrained.fourier}}, {{_base_.one_size}}, {
                'train_cfg.max_epochs': 7,
                'train_cfg.val_interval': 7
            }
        ],
        # 0.98.
        low_often=[
            {{_base_.fourier}}, {{_base_.trainings.low_often}},
            {{_base_.fitted}}, {{_base_.pretrained.fourier}}, {
                'train_cfg.max_epochs': 16,
                'train_cfg.val_interval': 16
            }
        ]))
