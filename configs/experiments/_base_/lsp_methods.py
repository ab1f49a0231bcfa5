# What the sets on LSP compare, each from the checkpoint of its encoding that
# people_pretraining.py has made.
_base_ = ['trainings.py']

_runs = 'work_dirs/experiments/people_pretraining/vit64-turned-'
pretrained = dict(
    ape={'load_from': _runs + 'ape-fedavg-seed0/epoch_12.pth'},
    fourier={'load_from': _runs + 'fourier-fedavg-seed0/epoch_12.pth'},
    gpe_lpe={'load_from': _runs + 'gpe_lpe-fedavg-seed0/epoch_12.pth'})
methods = dict(
    stock=[
        {{_base_.encodings.ape}}, {{_base_.trainings.fedavg_pixel}},
        pretrained['ape']
    ],
    fedavg=[
        {{_base_.fourier}}, {{_base_.trainings.fedavg}}, pretrained['fourier']
    ],
    default=[
        {{_base_.fourier}}, {{_base_.trainings.one_upward}}, {{_base_.fitted}},
        pretrained['fourier']
    ])
