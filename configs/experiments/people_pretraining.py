# The checkpoints from which the sets on LSP start, one for each encoding.
_base_ = [
    '_base_/small_runs.py', '_base_/trainings.py', '_base_/synthetic_sizes.py'
]

base = '../raf_demo.py'
axes = dict(
    size=dict(vit64={{_base_.vit64}}),
    data=dict(turned={{_base_.pretraining}}),
    encoding=dict(
        ape={{_base_.encodings.ape}},
        fourier={{_base_.fourier}},
        gpe_lpe={{_base_.encodings.gpe_lpe}}),
    training=dict(fedavg={{_base_.trainings.fedavg}}))
