# Position encodings on photographs, from scratch, judged on the validation
# persons.
_base_ = [
    '_base_/small_runs.py', '_base_/trainings.py', '_base_/synthetic_sizes.py'
]

base = '../raf_lsp.py'
axes = dict(
    size=dict(vit64={{_base_.vit64}}),
    data=dict(scratch=[{{_base_.scratch}}, {{_base_.validation}}]),
    training=dict(fedavg={{_base_.trainings.fedavg}}),
    encoding=dict(
        ape={{_base_.encodings.ape}},
        fourier={{_base_.fourier}},
        fourier_lpe=[{{_base_.fourier}}, {
            'model.backbone.lpe': True
        }],
        gpe_lpe={{_base_.encodings.gpe_lpe}}))
