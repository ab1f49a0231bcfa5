# What MMPose's users have today (ViTPose's learned embedding, sigma of 2 px in
# every heatmap), FedAvg with our encoding and targets, and the default, in one
# federation on photographs and for the same computation:
#   python tools/run_experiments.py configs/experiments/people_pretraining.py
#   python tools/run_experiments.py configs/experiments/lsp_headline.py
_base_ = [
    '_base_/small_runs.py', '_base_/trainings.py', '_base_/synthetic_sizes.py'
]

base = '../raf_lsp.py'
_runs = 'work_dirs/experiments/people_pretraining/vit64-turned-'
_ape = {'load_from': _runs + 'ape-fedavg-seed0/epoch_12.pth'}
_fourier = {'load_from': _runs + 'fourier-fedavg-seed0/epoch_12.pth'}
_gpe_lpe = {'load_from': _runs + 'gpe_lpe-fedavg-seed0/epoch_12.pth'}
seeds = [0, 1, 2]
axes = dict(
    size=dict(vit64={{_base_.vit64}}),
    data=dict(finetuned={{_base_.finetuning}}),
    training=dict(
        stock=[
            {{_base_.encodings.ape}}, {{_base_.trainings.fedavg_pixel}}, _ape
        ],
        fedavg=[
            {{_base_.fourier}}, {{_base_.trainings.fedavg}}, _fourier
        ],
        # 1.59 of the others' computation in a round: 8 rounds cost 1.06 of
        # their 12.
        paper=[
            {{_base_.encodings.gpe_lpe}}, {{_base_.trainings.paper}},
            _gpe_lpe, {
                'train_cfg.max_epochs': 8
            }
        ],
        default=[
            {{_base_.fourier}}, {{_base_.trainings.one_upward}},
            {{_base_.fitted}}, _fourier
        ]))
